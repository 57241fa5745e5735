"use strict";
// The page in the room: sends choices, says what happens next, and keeps itself up to date.
(() => {
  const { run, round, current } = document.body.dataset;
  let stamp = document.body.dataset.stamp, refreshing = false;
  let seen = Number(document.body.dataset.seen), timer = 0, sending = 0;
  let awaited = document.querySelector("#missing > p, .making") !== null; // something of this round is still being made
  const player = startPlayer(), news = document.getElementById("news"), said = document.querySelector(".said");
  const name = document.getElementById("who"), here = "/runs/" + encodeURIComponent(run);
  try { name.value = localStorage.getItem("jukeflow:who") ?? ""; } catch { /* a browser that keeps nothing */ }
  name.addEventListener("change", () => { try { localStorage.setItem("jukeflow:who", name.value); } catch { /* as above */ } });

  const LEADS_ON = new Set(["continue", "more", "again", "back", "cut", "splice", "audition", "upsample", "redo"]);

  function say(text, refused = false) {
    said.textContent = text;
    said.classList.toggle("refused", refused);
    if (text) said.scrollIntoView({ block: "nearest" });
  }
  function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

  async function act(words, button, branch = false) {
    if (words.refused) return say(words.refused, true);
    if (button instanceof HTMLButtonElement) button.disabled = true;
    sending += 1; // one's own choice is no news
    try {
      const reply = await fetch(here + "/choices", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ round: Number(round), seen, who: name.value, branch, choice: words }),
      });
      const body = await reply.json();
      if (reply.status === 409) return conflict(body, words);
      if (!reply.ok) return say(capital([body.message, body.hint].filter(Boolean).join(" · ")), true);
      if (body.seq === seen + 1) seen = body.seq;
      done(body, words);
    } catch {
      say("The room did not answer. Nothing was chosen as far as this page knows; try again.", true);
    } finally {
      sending -= 1;
      if (button instanceof HTMLButtonElement) button.disabled = false;
    }
  }
  function conflict(body, words) {
    say(body.message + " ", true);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Choose mine as well";
    button.addEventListener("click", () => act(words, button, true));
    const look = document.createElement("a");
    look.className = "button";
    look.href = here;
    look.textContent = "Look at theirs";
    said.append(button, " ", look);
    button.focus();
  }
  function done(body, words) {
    const cards = player.cards().filter((card) => words.takes?.includes(Number(card.dataset.take)));
    if (body.action === "keep" || body.action === "drop") for (const card of cards) mark(card, body.action);
    if (body.action === "rename") for (const card of cards) rename(card, words.name);
    for (const card of cards) for (const field of card.querySelectorAll("[name=note], [name=rename]")) field.defaultValue = field.value; // kept
    say(capital(body.words) + ". " + body.next);
    if (words.action === "keep" && !cards.length) location.reload(); // brought back
    if (LEADS_ON.has(body.action)) { awaited = true; look(); }
    document.dispatchEvent(new CustomEvent("current"));
  }
  function mark(card, action) {
    card.querySelectorAll(".badges .kept, .badges .dropped").forEach((badge) => badge.remove());
    const badge = document.createElement("li"), dropped = action === "drop";
    badge.className = dropped ? "dropped" : "kept";
    badge.textContent = dropped ? "✕ dropped" : "✓ kept";
    card.querySelector(".badges").prepend(badge);
    card.classList.toggle("gone", dropped);
    card.querySelector(".pick").checked = false;
  }
  function rename(card, text) {
    const label = card.querySelector(".name");
    if (label.dataset.real) label.dataset.real = text;
    if (!document.body.classList.contains("blind")) label.textContent = text;
  }

  // What is new is shown at once to somebody who waits for it, and offered to everybody else.
  function announce(text, address) {
    if (news.dataset.address === address && news.firstChild) return;
    news.dataset.address = address;
    const link = document.createElement("a");
    link.className = "button primary";
    link.href = address;
    link.textContent = "Show it";
    news.replaceChildren(text + " ", link);
    if (address === location.pathname + location.search) link.addEventListener("click", (event) => { event.preventDefault(); location.reload(); });
  }
  // Whether a part of the page is being used, so that nothing may happen to it.
  function used(part) {
    const fields = [...part.querySelectorAll("input:not([type=checkbox], [type=radio], [type=range]), textarea")];
    return fields.some((field) => field.value !== field.defaultValue) || [...part.querySelectorAll("audio")].some((audio) => !audio.paused) || part.contains(document.activeElement);
  }
  function busy() { // with something that leads away from this round
    const field = document.activeElement;
    return player.playing || (field?.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea") && field.value !== field.defaultValue);
  }
  // Puts what is new into the page, part by part, and leaves alone what is being used.
  async function refresh() {
    if (refreshing) return;
    refreshing = true;
    try {
      const reply = await fetch(location.pathname + location.search);
      if (!reply.ok) return;
      const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
      let left = false;
      const list = document.querySelector(".takes"), blind = document.body.classList.contains("blind");
      for (const id of ["missing", "dropped", "tree", "made", "songs"]) {
        const own = document.getElementById(id), other = fresh.getElementById(id);
        if (own.innerHTML === other.innerHTML) continue;
        if (id === "songs") left = swapSongs(own, other) || left;
        else if (used(own)) left = true;
        else own.replaceWith(document.adoptNode(other));
      }
      const there = new Set();
      for (const other of fresh.querySelectorAll(".card.take")) {
        there.add(other.id);
        const own = document.getElementById(other.id);
        if (own?.dataset.version === other.dataset.version) continue;
        if (blind || (own && used(own))) left = true;
        else {
          if (own) own.replaceWith(document.adoptNode(other));
          else list.append(document.adoptNode(other));
          panel.bind(document.getElementById(other.id));
        }
      }
      for (const own of player.cards()) if (!there.has(own.id) && !own.classList.contains("gone")) own.remove();
      player.adopt();
      bindParts();
      panel.show();
      if (!left) stamp = fresh.body.dataset.stamp;
      awaited = document.querySelector("#missing > p, .making, .song[data-done=false]") !== null || !["done", "waiting"].includes(fresh.getElementById("state").dataset.state);
      news.replaceChildren();
      delete news.dataset.address;
    } catch { /* the room is away for a moment; the next look tries again */ } finally { refreshing = false; }
  }
  function swapSongs(own, other) {
    const cards = [...own.querySelectorAll(".song")], section = own.querySelector("section");
    if (!section) return void own.replaceChildren(...other.childNodes);
    let left = false;
    for (const card of other.querySelectorAll(".song")) {
      const before = cards.find((one) => one.dataset.song === card.dataset.song);
      if (!before) section.append(document.adoptNode(card));
      else if (before.dataset.done === card.dataset.done) continue;
      else if (used(before)) left = true;
      else before.replaceWith(document.adoptNode(card));
    }
    return left;
  }
  const SIGNS = { waiting: ["●", "waits for you"], queued: ["⋯", "queued"], running: ["▶", "working"], unfinished: ["❚❚", "interrupted"], failed: ["⚠", "failed"], done: ["✓", "finished"], damaged: ["⚠", "damaged"] };
  function show(state) {
    const pill = document.getElementById("state"), [sign, label] = SIGNS[state.state];
    if (pill.dataset.state !== state.state) {
      pill.className = "state " + state.state;
      pill.dataset.state = state.state;
      pill.textContent = sign + " " + label;
    }
    document.getElementById("words").textContent = state.words;
    document.getElementById("resume").hidden = !state.resumable;
    for (const song of state.songs) {
      const card = document.querySelector(`[data-song="${song.song}"]`);
      if (!card) continue;
      for (const level of song.levels) {
        const bar = card.querySelector(`[data-level="${level.level}"]`), words = card.querySelector(`[data-level-words="${level.level}"]`);
        if (bar) { bar.value = level.fraction; words.textContent = Math.round(100 * level.fraction) + " %"; }
      }
      const audio = card.querySelector("audio"), address = `${here}/songs/${song.song}/mix.wav?v=${song.version}`;
      if (audio && audio.paused && !audio.src.endsWith(address)) { // more can be heard: go on at the same moment
        const at = audio.currentTime;
        audio.src = address;
        audio.currentTime = at;
      }
    }
    const moved = String(state.round) !== current;
    if (moved) {
      if (awaited && !busy()) return void location.assign(here);
      announce(`Round ${state.round} is here.`, here);
    } else if (state.stamp !== stamp) refresh();
    else if (state.seen > seen && !awaited && !sending) {
      const last = state.choices.at(-1);
      announce(`${last.who || "Somebody"} chose: ${last.words}.`, here);
    }
  }
  async function look() {
    clearTimeout(timer);
    try {
      const reply = await fetch(here + "/state");
      if (reply.ok) show(await reply.json());
    } catch { /* the room is away for a moment */ }
    timer = setTimeout(look, document.hidden ? 15000 : awaited ? 1500 : 4000);
  }

  const panel = startPanel(player, act);
  function bindParts() {
    for (const form of document.querySelectorAll("[data-redo]:not([data-bound])")) bindRedo(form);
    for (const button of document.querySelectorAll("[data-bring-back]:not([data-bound])")) {
      button.dataset.bound = "yes";
      button.addEventListener("click", () => act({ action: "keep", takes: [Number(button.dataset.bringBack)] }, button));
    }
  }
  function bindRedo(form) {
    form.dataset.bound = "yes";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const range = form.elements.from.value.trim() + "-" + form.elements.to.value.trim();
      act({ action: "redo", rendition: form.dataset.redo, range }, event.submitter);
    });
  }
  bindParts();
  document.getElementById("resume").addEventListener("click", async (event) => {
    event.target.disabled = true;
    try {
      const reply = await fetch(here + "/resume", { method: "POST" }), body = await reply.json();
      say(reply.ok ? body.next : capital([body.message, body.hint].filter(Boolean).join(" · ")), !reply.ok);
      awaited = true;
      look();
    } catch { say("The room did not answer; try again.", true); } finally { event.target.disabled = false; }
  });
  const wanted = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  const box = document.querySelector(".tree .here rect"), scroller = document.querySelector(".scroller");
  if (box) {
    scroller.scrollLeft = box.x.baseVal.value - scroller.clientWidth / 2;
    scroller.scrollTop = box.y.baseVal.value - scroller.clientHeight / 2;
  }
  wanted?.scrollIntoView();
  timer = setTimeout(look, awaited ? 700 : 2000);
})();
