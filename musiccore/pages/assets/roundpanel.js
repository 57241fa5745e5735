"use strict";
// Reads what a person wants from the panel and the cards; `act(words)` does something with it.
// `words` holds only what was filled in, as it was typed: whoever carries it out checks it.
function startPanel(player, act) {
  const panel = document.getElementById("panel"), field = (name) => panel.elements[name]?.value.trim() ?? "";
  const TAKES = new Set(["keep", "drop", "continue", "more", "audition", "upsample", "redo", "cut", "change"]);
  const SEVERAL = new Set(["keep", "drop", "upsample", "change"]);
  const RANGES = new Set(["cut", "audition", "redo"]);
  const FOLLOWS = new Set(["continue", "more", "again", "upsample", "change"]);
  const COUNTED = new Set(["continue", "more", "again"]);
  const number = (card) => Number(card.dataset.take);

  function chosen() {
    const ticked = player.cards().filter((card) => card.querySelector(".pick").checked);
    return ticked.length ? ticked : player.card ? [player.card] : [];
  }
  function show() {
    const names = chosen().map((card) => card.querySelector(".name").textContent);
    const said = names.length ? names.join(", ") : "no take";
    document.getElementById("target").textContent = said;
    for (const place of document.querySelectorAll("[data-target]")) place.textContent = "for " + said;
  }
  function words(action) {
    const found = { action };
    const cards = chosen();
    if (TAKES.has(action)) found.takes = (SEVERAL.has(action) ? cards : cards.slice(0, 1)).map(number);
    if (action === "continue") found.seconds = field("seconds");
    if (COUNTED.has(action) && field("count")) found.count = field("count");
    if (action === "upsample" && Number(field("copies")) > 1) found.copies = field("copies");
    if (action === "upsample" && panel.elements.anew?.checked) found.anew = true;
    if (RANGES.has(action)) found.range = field("from") + "-" + field("to");
    if (action === "splice") found.splice = field("splice");
    if (FOLLOWS.has(action)) {
      for (const name of ["artist", "genre", "lyrics", "temperature"]) if (field(name)) found[name] = field(name);
    }
    return found;
  }
  panel.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter, action = button?.dataset.action;
    if (!action) return;
    const cards = chosen();
    if (TAKES.has(action) && !SEVERAL.has(action) && cards.length > 1) {
      act({ refused: `Select one take for this, not ${cards.length}.` }, button);
    } else act(words(action), button);
  });
  // Enter in a field presses the first button, Continue; that is meant beside it and nowhere else.
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input:not([name=seconds])")) event.preventDefault();
  });
  panel.querySelector("[data-add-part]")?.addEventListener("click", () => {
    const card = chosen()[0];
    if (!card) return;
    const part = `${number(card)}@${field("from")}-${field("to")}`, into = panel.elements.splice;
    into.value = into.value.trim() ? into.value.trim() + "+" + part : part;
  });
  panel.querySelector("[data-from-new]")?.addEventListener("click", () => {
    const from = Number(chosen()[0]?.dataset.new || 0), say = (s) => Math.floor(s / 60) + ":" + String(+(s % 60).toFixed(1)).padStart(2, "0");
    panel.elements.from.value = say(from);
    panel.elements.to.value = say(Math.min(from + 6, Number(chosen()[0]?.dataset.seconds || 6)));
  });
  function bind(card) {
    const take = number(card), stars = card.querySelector(".stars");
    card.querySelector(".pick").addEventListener("change", show);
    stars.addEventListener("change", (event) => {
      stars.dataset.stars = event.target.value;
      act({ action: "note", takes: [take], stars: event.target.value }, event.target);
    });
    card.querySelector("[name=note]").addEventListener("change", (event) => act({ action: "note", takes: [take], note: event.target.value }, event.target));
    card.querySelector("[name=rename]").addEventListener("change", (event) => {
      if (event.target.value.trim()) act({ action: "rename", takes: [take], name: event.target.value.trim() }, event.target);
    });
  }
  player.cards().forEach(bind);
  document.addEventListener("current", show);
  show();
  return { words, chosen, bind, show };
}
