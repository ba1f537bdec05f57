/* The token is in a cookie by now, and need not stand in the history. */
history.replaceState(null, "", location.pathname);

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const visible = () => document.hidden
  ? new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })) : null;

function showState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

/* Ask for one frame after the other: a slow viewer gets fewer, never older ones. */
async function watch() {
  let newest = 0;
  for (;;) {
    await visible();
    try {
      const reply = await fetch(`frame.jpg?after=${newest}`);
      if (reply.status === 401) {
        showState("lost", "the token is no longer right: open the address that the run printed");
        await pause(2000);
      } else if (reply.status === 200) {
        newest = reply.headers.get("X-Frame");
        await draw(await reply.blob());
        showState("live", "live");
      } else {
        showState("waiting", "no new frame");
        if (reply.status !== 204) await pause(1000);
      }
    } catch {
      showState("lost", "the device does not answer; the run may have ended");
      await pause(1000);
    }
  }
}

async function draw(blob) {
  const image = await createImageBitmap(blob);
  const canvas = $("frame");
  if (canvas.width !== image.width || canvas.height !== image.height) {
    Object.assign(canvas, { width: image.width, height: image.height });
    $("view").style.maxWidth = `calc(72vh * ${image.width / image.height})`;
    showOverlay();
  }
  canvas.getContext("2d").drawImage(image, 0, 0);
  image.close();
}

async function poll() {
  for (;;) {
    await visible();
    try {
      const reply = await fetch("facts");
      if (reply.ok) showFacts(await reply.json());
    } catch { /* the picture says so */ }
    await pause(1000);
  }
}

const count = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
const ms = (value) => value == null ? "–" : value < 10 ? `${value.toFixed(2)} ms` : value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`;
const share = (part, whole) => whole ? ` (${(100 * part / whole).toFixed(part ? 1 : 0)} %)` : "";

function span(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}

function showFacts(facts) {
  const size = facts.size ? `, ${facts.size.width}×${facts.size.height}` : "";
  $("bundle").textContent = facts.bundle;
  document.title = `${facts.bundle} · edgekit camera`;
  $("about").textContent = `${facts.source}${size} · ${facts.runtime} · ${facts.machine}`;
  $("rate").textContent = facts.frames_per_s.toFixed(1);
  $("age-p50").textContent = ms(facts.age_ms?.p50);
  $("age-p99").textContent = ms(facts.age_ms?.p99);
  $("answered").textContent = count(facts.answered);
  $("dropped").textContent = count(facts.dropped);
  $("dropped").title = `of ${count(facts.captured)} captured${share(facts.dropped, facts.captured)}`;
  $("gaps").textContent = facts.gaps.count ? `${facts.gaps.count} · ${facts.gaps.seconds.toFixed(0)} s` : "0";
  $("memory").textContent = `${(facts.resident_bytes / 2 ** 20).toFixed(0)} MiB`;
  $("running").textContent = span(facts.seconds);
  showWarmth(facts.temperatures);
  showRung(facts.rung);
  showStages(facts.stages_ms, facts.live);
  showCounts(facts.counts);
  showHappenings(facts.happenings);
  if (facts.scene_version !== desk.kept.version && !desk.changed && !desk.draft) loadScene();
}

/* How far down the ladder; no tile where there is none. */
function showRung(rung) {
  $("rung").parentElement.hidden = !rung;
  if (!rung) return;
  $("rung").textContent = rung.number;
  $("rung").title = rung.way;
}

/* The warmest of all sensors; where there are none, as in a virtual machine, no tile. */
function showWarmth(zones) {
  const warmest = [...zones].sort((a, b) => b.celsius - a.celsius)[0];
  $("warm").parentElement.hidden = !warmest;
  if (!warmest) return;
  $("warm").textContent = `${warmest.celsius.toFixed(0)} °C`;
  $("warm-label").textContent = warmest.kind;
}

function showStages(stages, live) {
  const longest = Math.max(...Object.values(stages).map((times) => times?.p50 ?? 0));
  $("stages").tBodies[0].replaceChildren(...Object.entries(stages).map(([stage, times]) => {
    const bar = make("div", [], { class: "bar" });
    bar.style.width = `${100 * (times?.p50 ?? 0) / (longest || 1)}%`;
    const name = live && stage === "capture" ? "capture + wait" : stage;
    return make("tr", [name, ms(times?.p50), ms(times?.p99), bar].map((cell) => make("td", cell)));
  }));
}

function showCounts(counts) {
  const rows = Object.entries(counts).map(([place, of]) => {
    const sums = Object.entries(of).map(([what, number]) => `${count(number)} ${what}`).join(", ");
    return make("tr", [make("td", place), make("td", sums)]);
  });
  $("counted").hidden = !rows.length;
  $("counts").tBodies[0].replaceChildren(...rows);
}

function showHappenings(happenings) {
  $("happened").hidden = !happenings.length;
  $("happenings").replaceChildren(...happenings.map((item) => {
    const at = new Date(item.at_s * 1000);
    return make("li", [make("time", at.toLocaleTimeString([], { hour12: false }), { datetime: at.toISOString() }), told(item)]);
  }));
}

function told({ event, place, label, track, direction, seconds }) {
  const who = `${label} #${track}`;
  switch (event) {
    case "crossed": return `${who} crossed ${place}, ${direction}`;
    case "left": return `${who} left ${place} after ${seconds.toFixed(1)}\u00a0s`;
    case "dwelt": return `${who} has been in ${place} for ${seconds.toFixed(1)}\u00a0s`;
    default: return `${who} ${event} ${place}`;
  }
}

loadScene();
watch();
poll();
