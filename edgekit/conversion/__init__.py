"""Turn a model into artifacts: plan candidates, run converters out of process, verify, time, choose."""
