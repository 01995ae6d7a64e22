"use strict";
// Opens what the address names: report.html#<chain id> or #<finding id>.
const notice = document.getElementById("notice");
function namedInAddress() {
  const name = location.hash.slice(1);
  try { return decodeURIComponent(name); } catch { return name; }
}
function openNamed() {
  const id = namedInAddress();
  const target = id && document.getElementById(id);
  notice.hidden = !id || Boolean(target);
  if (!target) {
    notice.textContent = id + " is not among the chains drawn on this page; ultravires trace draws any of them.";
    return;
  }
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", openNamed);
openNamed();

// Pointing at a node shows what stands above it on both spines.
for (const svg of document.querySelectorAll("svg.chain")) {
  const nodes = new Map([...svg.querySelectorAll("[data-node]")].map(node => [node.dataset.node, node]));
  const linksOf = Map.groupBy([...svg.querySelectorAll("path[data-child]")], link => link.dataset.child);
  svg.addEventListener("pointerover", event => {
    const pointed = event.target.closest("[data-node]");
    for (const lit of svg.querySelectorAll(".above")) lit.classList.remove("above");
    svg.classList.toggle("tracing", Boolean(pointed));
    const waiting = pointed ? [pointed.dataset.node] : [];
    while (waiting.length) {
      const node = nodes.get(waiting.pop());
      if (!node || node.classList.contains("above")) continue;
      node.classList.add("above");
      for (const link of linksOf.get(node.dataset.node) || []) {
        link.classList.add("above");
        waiting.push(link.dataset.parent);
      }
    }
  });
  svg.addEventListener("pointerleave", () => svg.classList.remove("tracing"));
}

// A printed page cannot be opened, so pictures print open; the tables of steps stay closed.
addEventListener("beforeprint", () => {
  for (const box of document.querySelectorAll(".chainbox")) box.open = true;
});
