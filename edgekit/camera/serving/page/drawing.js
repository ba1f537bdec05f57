"use strict";

const $ = (id) => document.getElementById(id);

/* An element with its text or children. */
function make(name, content = [], attributes = {}) {
  const svg = ["circle", "line", "path", "polygon", "polyline", "text"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

async function post(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const reply = await fetch(path, options);
  const text = await reply.text();
  return text ? JSON.parse(text) : { problems: [`the device refused (${reply.status}); load this page again`] };
}

/* Lines and zones as they are drawn here, whether or not the device has them. */
const desk = {
  kept: { scene: null, drawable: false, file: null, version: "" }, // what the device has
  lines: [],
  zones: [],
  draft: null, // { kind, points, closed }; the place that is being drawn
  dragged: null, // index of the draft's point under the finger
  problems: [],

  get scene() {
    const filled = (kind) => (this[kind].length ? { [kind]: this[kind] } : {});
    return { ...filled("lines"), ...filled("zones") };
  },
  get changed() {
    return JSON.stringify(this.scene) !== JSON.stringify(this.kept.scene ?? {});
  },
};

async function loadScene() {
  takeOver(await (await fetch("scene")).json());
}

function takeOver(kept) {
  desk.kept = kept;
  desk.lines = [...(kept.scene?.lines ?? [])];
  desk.zones = [...(kept.scene?.zones ?? [])];
  showDrawing();
  check();
}

/* Have the device check what was drawn, and write it as a file. */
async function check() {
  const places = desk.lines.length + desk.zones.length;
  let answer = {};
  if (places || desk.changed) {
    try {
      answer = await post("scene/check", { scene: desk.scene });
    } catch {
      answer = { problems: ["the device does not answer"] };
    }
  }
  desk.problems = answer.problems ?? [];
  $("text").textContent = answer.text ?? "";
  $("download").href = "data:text/plain;charset=utf-8," + encodeURIComponent(answer.text ?? "");
  showPlaces();
}

async function save() {
  $("save").disabled = true;
  let answer;
  try {
    answer = await post("scene/save", { scene: desk.scene, version: desk.kept.version });
  } catch {
    answer = { problems: ["the device does not answer"] };
  }
  if (answer.problems) {
    desk.problems = answer.problems;
    showPlaces();
  } else {
    takeOver(answer);
    $("saved").textContent = `saved to ${answer.file}`;
  }
}

function showPlaces() {
  const rows = ["lines", "zones"].flatMap((kind) => desk[kind].map((place) => row(kind, place)));
  $("places").hidden = !rows.length && !desk.changed;
  $("place-list").replaceChildren(...rows);
  $("problems").replaceChildren(...desk.problems.map((problem) => make("li", problem)));
  const editable = desk.kept.file !== null;
  $("saving").hidden = !editable;
  $("file").hidden = editable || !$("text").textContent;
  $("save").disabled = !desk.changed || desk.problems.length > 0;
  $("revert").disabled = !desk.changed;
  if (desk.changed) $("saved").textContent = "";
  showOverlay();
}

function row(kind, place) {
  const remove = make("button", "Remove", { "aria-label": `Remove ${place.name}` });
  remove.onclick = () => {
    desk[kind] = desk[kind].filter((other) => other !== place);
    check();
  };
  const facts = [kind === "lines" ? "line" : "zone", ...(place.labels ?? [])];
  if (place.dwell_s) facts.push(`dwells after ${place.dwell_s} s`);
  return make("li", [make("span", [place.name, " ", make("small", facts.join(", "))]), remove]);
}

/* The overlay has the picture's pixels as its units. */
function showOverlay() {
  const { width, height } = $("frame");
  const overlay = $("overlay");
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  overlay.classList.toggle("drawing", desk.draft !== null && !desk.draft.closed);
  const unit = width / (overlay.clientWidth || width);
  const places = desk.changed ? ["lines", "zones"].flatMap((kind) => desk[kind].map((place) => ({ kind, ...place }))) : [];
  const all = desk.draft ? [...places, desk.draft] : places;
  overlay.replaceChildren(...all.flatMap((place) => shapes(place, width, height, unit)));
}

function shapes(place, width, height, unit) {
  const points = place.points.map(([x, y]) => [x * width, y * height]);
  if (!points.length) return [];
  const drafted = place === desk.draft;
  const closed = place.kind === "zones" && (!drafted || place.closed);
  const made = [make(closed ? "polygon" : "polyline", [], { points: points.join(" ") })];
  if (place.kind === "lines" && points.length === 2) made.push(arrow(...points, unit));
  if (drafted && !place.closed) made.push(...points.map(([x, y]) => make("circle", [], { cx: x, cy: y, r: 8 * unit })));
  const [x, y] = points[0];
  const [above, size] = [Math.max(y - 10 * unit, 18 * unit), 15 * unit];
  if (place.name) made.push(make("text", place.name, { x: x + 6 * unit, y: above, "font-size": size }));
  return made;
}

/* Which way is in: to the right, seen from the first point to the second. */
function arrow([x0, y0], [x1, y1], unit) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [along, across] = [(x1 - x0) / length, (y1 - y0) / length].map((share) => share * 26 * unit);
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const [tipX, tipY] = [x - across, y + along];
  const wing = (side) => `${tipX + across * 0.35 + side * along * 0.3} ${tipY - along * 0.35 + side * across * 0.3}`;
  return make("path", [], { d: `M${x} ${y}L${tipX} ${tipY}M${wing(1)}L${tipX} ${tipY}L${wing(-1)}` });
}

function begin(kind) {
  desk.draft = { kind, points: [], closed: false };
  showDrawing();
}

function finish() {
  desk.draft.closed = true;
  const word = desk.draft.kind === "lines" ? "line" : "zone";
  const taken = new Set([...desk.lines, ...desk.zones].map((place) => place.name));
  let number = 1;
  while (taken.has(`${word} ${number}`)) number += 1;
  $("name").value = `${word} ${number}`;
  $("labels").value = $("dwell").value = "";
  showDrawing();
  $("name").select();
  $("naming").scrollIntoView({ block: "nearest" });
}

function cancel() {
  desk.draft = desk.dragged = null;
  showDrawing();
}

function showDrawing() {
  const { draft } = desk;
  const under_way = draft !== null && !draft.closed;
  $("draw-line").hidden = $("draw-zone").hidden = draft !== null || !desk.kept.drawable;
  $("drawing").hidden = draft === null;
  $("close-zone").hidden = !under_way || draft.kind === "lines";
  $("undo").hidden = !under_way;
  $("close-zone").disabled = !under_way || draft.points.length < 3;
  $("undo").disabled = !under_way || !draft.points.length;
  $("naming").hidden = draft === null || under_way;
  const line = draft?.kind === "lines";
  $("dwell-label").hidden = line;
  $("turn").hidden = !line;
  $("hint").textContent = !draft ? "" : !under_way ? (line ? "The arrow points in." : "")
    : line ? "Tap where the line begins, and where it ends."
    : "Tap corner after corner; the first one again, or Close, ends the zone.";
  showOverlay();
}

/* The place under the pointer, as shares of the picture. */
function spot(event) {
  const box = $("overlay").getBoundingClientRect();
  const share = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;
  return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
}

/* The draft's point that a finger at the event means, else -1. */
function touched(event) {
  const box = $("overlay").getBoundingClientRect();
  const reach = event.pointerType === "mouse" ? 10 : 22;
  return desk.draft.points.findIndex(([x, y]) =>
    Math.hypot(event.clientX - box.left - x * box.width, event.clientY - box.top - y * box.height) < reach);
}

$("overlay").onpointerdown = (event) => {
  if (!desk.draft || desk.draft.closed || !event.isPrimary) return;
  event.preventDefault();
  $("overlay").setPointerCapture(event.pointerId);
  const { points } = desk.draft;
  const index = touched(event);
  desk.dragged = { index: index < 0 ? points.push(spot(event)) - 1 : index, known: index >= 0, moved: false };
  showDrawing();
};

$("overlay").onpointermove = (event) => {
  if (!desk.dragged || !event.isPrimary) return;
  if (desk.dragged.known && !desk.dragged.moved && touched(event) === desk.dragged.index) return;
  desk.dragged.moved = true;
  desk.draft.points[desk.dragged.index] = spot(event);
  showOverlay();
};

$("overlay").onpointerup = () => {
  const { draft, dragged } = desk;
  desk.dragged = null;
  if (!draft || !dragged) return;
  const tapped_first = dragged.known && !dragged.moved && dragged.index === 0;
  if (draft.kind === "lines" ? draft.points.length === 2 : tapped_first && draft.points.length > 2) finish();
};
$("overlay").onpointercancel = () => { desk.dragged = null; };

$("draw-line").onclick = () => begin("lines");
$("draw-zone").onclick = () => begin("zones");
$("close-zone").onclick = finish;
$("cancel").onclick = cancel;
$("undo").onclick = () => { desk.draft.points.pop(); showDrawing(); };
$("turn").onclick = () => { desk.draft.points.reverse(); showOverlay(); };
$("save").onclick = save;
$("revert").onclick = loadScene;
$("naming").onsubmit = (event) => {
  event.preventDefault();
  const { kind, points } = desk.draft;
  const labels = $("labels").value.split(",").map((label) => label.trim()).filter(Boolean);
  const dwell = kind === "zones" && $("dwell").valueAsNumber;
  const place = { name: $("name").value.trim(), ...(labels.length && { labels }), points, ...(dwell && { dwell_s: dwell }) };
  desk[kind] = [...desk[kind], place];
  cancel();
  check();
};
$("copy").onclick = async () => {
  getSelection().selectAllChildren($("text"));
  // the clipboard itself is for pages with TLS or of this machine
  if (navigator.clipboard) await navigator.clipboard.writeText($("text").textContent);
  else document.execCommand("copy");
};
addEventListener("keydown", (event) => { if (event.key === "Escape" && desk.draft) cancel(); });
addEventListener("resize", showOverlay);
