"""The commands, one file a verb: parse, call one engine function, print."""
