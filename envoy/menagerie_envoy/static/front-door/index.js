// A file of its own, as a content security policy without 'unsafe-inline' runs no script inside a page.

const ASK_AGAIN_MS = 2000; // while models load
const JOB_MS = 1000;
const UNENDED = ["queued", "processing"];
const LONGEST_TEXT = 200; // of an answer; images in base64 are longer

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function showState(section, state, text) {
  section.className = state;
  section.querySelector(".state").textContent = text;
  section.querySelector("button").disabled = state !== "ready";
}

async function showReadiness() {
  const line = document.getElementById("readiness");
  const sections = [...document.querySelectorAll("section")];
  const answer = await fetch("readyz").catch(() => null);
  const readiness = answer && (await answer.json().catch(() => null));
  if (!answer?.ok || !readiness) {
    line.textContent = readiness?.detail ?? "The server does not answer.";
    sections.forEach((section) => showState(section, "", "not ready"));
    setTimeout(showReadiness, ASK_AGAIN_MS);
    return;
  }
  const ready = sections.filter((section) => readiness.apis.includes(section.id));
  sections.forEach((section) =>
    ready.includes(section) ? showState(section, "ready", "ready") : showState(section, "missing", "not served"));
  const failed = readiness.failed_models.join(", ");
  line.textContent = `${ready.length} of ${sections.length} APIs are ready.` +
    (failed ? ` These models could not be loaded: ${failed}.` : "");
}

function shortened(_, value) {
  const long = typeof value === "string" && value.length > LONGEST_TEXT;
  return long ? `${value.slice(0, 60)}… (${value.length} characters)` : value;
}

function show(output, status, text) {
  let body = text;
  try {
    body = JSON.stringify(JSON.parse(text), shortened, 2);
  } catch { /* it is no JSON: shown as it is */ }
  const head = Object.assign(document.createElement("p"), { className: "quiet", textContent: status });
  output.replaceChildren(head, Object.assign(document.createElement("pre"), { textContent: body }));
}

// A job answers with its id at once; its status and its picture come from addresses of their own.
async function follow(output, job, headers) {
  for (;;) {
    const answer = await fetch(job, { headers });
    const text = await answer.text();
    show(output, `${answer.status} ${job}`, text);
    if (!answer.ok) return;
    if (!UNENDED.includes(JSON.parse(text).status)) break;
    await pause(JOB_MS);
  }
  const picture = await fetch(`${job}/image`, { headers });
  if (!picture.ok) return;
  const reader = new FileReader();
  reader.onload = () => output.append(Object.assign(new Image(), { src: reader.result, alt: "The result" }));
  reader.readAsDataURL(await picture.blob());
}

async function send(form, output) {
  const body = new FormData(form);
  const key = form.querySelector("input[type=password]")?.value;
  const headers = key ? { "x-api-key": key } : {};
  const started = performance.now();
  const answer = await fetch(form.dataset.url, { method: "POST", body, headers });
  const text = await answer.text();
  show(output, `${answer.status} in ${Math.round(performance.now() - started)} ms`, text);
  if (answer.ok && form.dataset.job) await follow(output, form.dataset.job + JSON.parse(text).job_id, headers);
}

for (const form of document.forms) {
  const output = form.parentElement.querySelector("output");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    output.textContent = "Waiting for the answer…";
    await send(form, output).catch((error) => { output.textContent = `No answer: ${error.message}`; });
    button.disabled = false;
  });
}
showReadiness();
