"use strict";
// The page on its own: keeps notes and stars in this browser, and writes the line to paste.
(() => {
  const { run, round, seen, store } = document.body.dataset;
  const player = startPlayer(), key = `jukeflow:${run}:${round}`;
  const said = document.querySelector(".said"), line = document.getElementById("line"), copy = document.getElementById("copy");
  let opinions = {}, wanted = null;
  try { opinions = JSON.parse(localStorage.getItem(key)) ?? {}; } catch { /* a browser that keeps nothing */ }
  const quote = (value) => (/^[\w@%+=:,./-]+$/.test(value) ? value : "'" + value.replaceAll("'", "'\\''") + "'");
  const start = ["jukeflow", "choose", run, "--round", round, "--seen", seen];

  function command(words) {
    const parts = [...start], add = (name, value) => parts.push("--" + name, quote(String(value)));
    for (const take of words.takes ?? []) add("take", take);
    const values = { continue: words.seconds && words.seconds + "s", cut: words.range, audition: words.range, redo: words.range, splice: words.splice };
    if (words.action in values) add(words.action, values[words.action] ?? "");
    else if (!["change", "note"].includes(words.action)) parts.push("--" + words.action);
    for (const name of ["copies", "count", "artist", "genre", "lyrics", "temperature", "name", "note", "stars"]) {
      if (words[name] !== undefined && words[name] !== "") add(name, words[name]);
    }
    if (words.anew) parts.push("--anew");
    add("store", store);
    return parts.join(" ");
  }
  function lines() {
    const found = Object.entries(opinions).map(([take, opinion]) => command({ action: "note", takes: [take], ...opinion }));
    if (wanted) found.push(command(wanted));
    return found.join("\n");
  }
  function show() {
    const hidden = document.body.classList.contains("blind");
    const text = lines();
    line.textContent = hidden ? text.replace(/--take \d+/g, "--take ?") : text;
    copy.disabled = !text;
  }
  function act(words) {
    said.textContent = words.refused ?? "";
    said.classList.toggle("refused", Boolean(words.refused));
    if (words.refused) return;
    if (words.action === "note" || words.action === "rename") {
      const { action, takes, ...opinion } = words;
      opinions[takes[0]] = { ...opinions[takes[0]], ...opinion };
      try { localStorage.setItem(key, JSON.stringify(opinions)); } catch { /* kept until the page is closed */ }
    } else {
      wanted = words;
      said.textContent = "The line for this is below: copy it and run it where the store is.";
    }
    show();
  }
  for (const [take, opinion] of Object.entries(opinions)) {
    const card = document.getElementById("take-" + take);
    if (!card) continue;
    if (opinion.note) card.querySelector("[name=note]").value = opinion.note;
    if (opinion.name) card.querySelector("[name=rename]").value = opinion.name;
    if (opinion.stars) {
      card.querySelector(`.stars [value="${Number(opinion.stars)}"]`).checked = true;
      card.querySelector(".stars").dataset.stars = opinion.stars;
    }
  }
  const panel = startPanel(player, act);
  // Once an action is chosen, the line follows the fields and the selection.
  const follow = () => { if (wanted) wanted = panel.words(wanted.action); show(); };
  document.getElementById("panel").addEventListener("input", follow);
  document.addEventListener("current", follow);
  document.addEventListener("change", follow);
  copy.addEventListener("click", async () => {
    const text = lines();
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  show();
})();
