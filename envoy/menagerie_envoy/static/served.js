// Says above a page of documentation that the API is not served, where its health check answers so.
(async () => {
  const paths = Object.keys((await (await fetch("openapi.json")).json()).paths);
  const health = paths.find((path) => /\/healthz?$/.test(path));
  const answer = await fetch(health.slice(1));
  if (answer.status !== 501) return;
  const [text] = Object.values(await answer.json());
  const note = document.createElement("p");
  note.id = "not-served";
  note.style.cssText = "margin: 0; padding: .75rem 1.25rem; background: #fff3d6; color: #5c3d00; font: 16px/1.5 sans-serif";
  note.textContent = `${text} This page tells its contract; every call is answered 501.`;
  document.body.prepend(note);
})();
