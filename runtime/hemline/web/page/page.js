"use strict";

const POLL_MS = 200;
const RETRY_MS = 1500;
const STALE_S = 3;

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const count = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

function milliseconds(value) {
  return value < 0.1 ? `${Math.round(value * 1000)} µs` : `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

let mode = null;
let uploadBytes = Infinity;
let isStreaming = false;

function show(state, kind) {
  at("state").textContent = state;
  at("state").className = `state ${kind}`;
}

function stream(wanted) {
  if (mode === "api" || wanted === isStreaming) return;
  isStreaming = wanted;
  const picture = at("stream");
  if (wanted) {
    picture.src = `/stream.mjpg?${Date.now()}`;
  } else {
    picture.removeAttribute("src");
    picture.hidden = true;
  }
}

function bars(list, top) {
  while (list.children.length > top.length) list.lastChild.remove();
  top.forEach(({ label, confidence }, index) => {
    let row = list.children[index];
    if (!row) {
      row = document.createElement("li");
      for (const kind of ["name", "value", "track"]) {
        const part = document.createElement("span");
        part.className = kind;
        row.append(part);
      }
      row.lastChild.append(document.createElement("i"));
      list.append(row);
    }
    row.children[0].textContent = label;
    row.children[0].title = label;
    row.children[1].textContent = percent(confidence);
    row.children[2].firstChild.style.width = `${100 * confidence}%`;
  });
}

function best(label, confidence, answer) {
  label.textContent = answer.label;
  confidence.textContent = percent(answer.confidence);
  label.parentElement.classList.toggle("unsure", answer.label !== answer.top[0].label);
}

function latency({ preprocess, inference, total }) {
  const rest = Math.max(0, total - preprocess - inference);
  at("total").textContent = milliseconds(total);
  for (const [name, value] of Object.entries({ preprocess, inference, rest })) {
    at(name).textContent = milliseconds(value);
    at(`part-${name}`).style.flexGrow = total > 0 ? (100 * value) / total : 0;
  }
}

function answer(latest) {
  if (latest.error) {
    at("source").textContent = latest.error;
  } else if (latest.label !== null) {
    const frame = latest.frame === null ? "" : ` #${latest.frame}`;
    at("source").textContent = `${latest.source}${frame}`;
    best(at("label"), at("confidence"), latest);
    bars(at("bars"), latest.top);
    latency(latest.latency_ms);
    document.title = `${latest.label} – hemline`;
  }
  at("fps").textContent = latest.frames_per_s.toFixed(1);
  at("frames").textContent = count(latest.frames);
  at("dropped").textContent = count(latest.dropped);
  const isStale = latest.state === "running" && latest.age_s > STALE_S;
  document.body.classList.toggle("stale", isStale);
  if (latest.state === "finished") show("finished", "good");
  else if (isStale) show("waiting for a picture", "bad");
  else show("live", "good");
}

async function poll() {
  let pause = POLL_MS;
  if (!document.hidden) {
    try {
      const reply = await fetch("/api/latest", { signal: AbortSignal.timeout(5000) });
      if (reply.status === 401) {
        location.reload();
        return;
      }
      if (!reply.ok) throw new Error(reply.statusText);
      if (mode === null) await begin();
      if (mode === "api") {
        show("ready", "good");
        pause = 10 * RETRY_MS;
      } else {
        answer(await reply.json());
        stream(true);
      }
    } catch {
      show("no connection", "bad");
      document.body.classList.add("stale");
      stream(false);
      pause = RETRY_MS;
    }
  }
  setTimeout(poll, pause);
}

async function begin() {
  const info = await (await fetch("/api/info")).json();
  mode = info.mode;
  uploadBytes = info.upload_bytes;
  at("model").textContent = `${info.model} · ${info.backend}`;
  if (mode === "api") {
    at("live").remove();
    document.querySelector(".answer").remove();
    document.querySelector("main").classList.add("alone");
  }
}

function note(text) {
  at("tried-label").textContent = "";
  at("tried-confidence").textContent = "";
  at("tried-bars").replaceChildren();
  at("tried-note").textContent = text;
}

async function classify(file) {
  if (file.size > uploadBytes) {
    note(`That file is too large: ${Math.round(uploadBytes / 1e6)} MB are allowed.`);
    at("tried-picture").removeAttribute("src");
    at("tried").hidden = false;
    return;
  }
  at("drop").classList.add("busy");
  const picture = at("tried-picture");
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  try {
    const reply = await fetch("/api/classify", { method: "POST", body: file });
    const told = await reply.json();
    note(told.error ?? `${milliseconds(told.latency_ms.total)} with ${told.model}`);
    if (!told.error) {
      best(at("tried-label"), at("tried-confidence"), told);
      bars(at("tried-bars"), told.top);
    }
  } catch {
    note("The picture could not be sent.");
  }
  at("tried").hidden = false;
  at("drop").classList.remove("busy");
}

at("stream").addEventListener("load", () => { at("stream").hidden = false; });
at("stream").addEventListener("error", () => stream(false));
document.addEventListener("visibilitychange", () => { if (document.hidden) stream(false); });
at("file").addEventListener("change", (event) => {
  if (event.target.files.length) classify(event.target.files[0]);
  event.target.value = "";
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) classify(event.dataTransfer.files[0]);
  });
}
poll();
