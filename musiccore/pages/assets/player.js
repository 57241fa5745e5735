"use strict";
// Plays the candidates of a round: one at a time, all equally loud, at one common position.
// A sound is an element `.sound` with an <audio>, a button `.play`, and a range over its waveform.
// Its position counts in seconds of the take, so a stretch of a take knows where it belongs.
function startPlayer() {
  const SEEK_SECONDS = 2, DEEPEST_MATCH = 20; // LU below the loudest that all are brought down to
  const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
  const option = (name) => document.querySelector(`[data-option=${name}]`);
  const on = (name) => option(name)?.checked ?? false;
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  let current = null, mixer = null;

  class Sound {
    constructor(box) {
      this.box = box;
      this.audio = box.querySelector("audio");
      this.button = box.querySelector(".play");
      this.range = box.querySelector("input[type=range]");
      this.output = box.querySelector("output");
      this.card = box.closest(".card");
      this.offset = Number(box.dataset.offset || 0);
      this.lufs = box.dataset.lufs ? Number(box.dataset.lufs) : null;
      this.gain = 1;
      this.button.addEventListener("click", () => (this.playing ? this.audio.pause() : this.play()));
      this.range.addEventListener("input", () => { choose(this); this.seek(this.offset + Number(this.range.value)); });
      for (const event of ["pause", "ended", "timeupdate", "seeked", "loadedmetadata", "durationchange"]) {
        this.audio.addEventListener(event, () => this.show());
      }
      this.audio.addEventListener("play", () => {
        for (const other of sounds) if (other !== this) other.audio.pause();
        choose(this);
        this.follow();
      });
      this.show();
    }
    get playing() { return !this.audio.paused; }
    get length() { return isFinite(this.audio.duration) ? this.audio.duration : Number(this.box.dataset.seconds || 0); }
    get time() { return this.offset + this.audio.currentTime; }
    get begin() { return on("new") ? Number(this.card.dataset.new || 0) : 0; }
    get label() {
      const what = this.box.dataset.what, card = this.card.querySelector(".name").textContent;
      return what ? card + ", " + what : card;
    }
    seek(time) {
      this.audio.currentTime = Math.min(Math.max(time - this.offset, 0), Math.max(this.length - 0.01, 0));
      this.show();
    }
    play() {
      if (this.audio.ended || this.time < this.begin - 0.05) this.seek(this.begin);
      amplify(this);
      return this.audio.play();
    }
    toggle() { return this.playing ? this.audio.pause() : this.play(); }
    follow() { this.show(); if (this.playing) requestAnimationFrame(() => this.follow()); }
    show() {
      const at = this.audio.currentTime, length = this.length;
      this.range.max = length;
      this.range.value = at;
      this.box.style.setProperty("--at", length ? (at / length) * 100 + "%" : "0%");
      this.range.setAttribute("aria-valuetext", clock(at) + " of " + clock(length));
      this.range.setAttribute("aria-label", "Position in " + this.label);
      this.output.textContent = clock(at) + " / " + clock(Math.round(length));
      this.button.setAttribute("aria-label", (this.playing ? "Pause " : "Play ") + this.label);
      this.box.classList.toggle("playing", this.playing);
    }
  }

  let sounds = [...document.querySelectorAll(".sound")].map((box) => new Sound(box));
  const cards = () => [...document.querySelectorAll(".card.take")];
  const main = (card) => sounds.find((sound) => sound.card === card);

  // Loudness: everything is brought down to the quietest, so nothing can clip. Something almost
  // silent does not count, or all the rest would be silent with it.
  function match() {
    const known = sounds.map((sound) => sound.lufs).filter((lufs) => lufs !== null);
    const target = known.length ? Math.max(Math.min(...known), Math.max(...known) - DEEPEST_MATCH) : 0;
    for (const sound of sounds) {
      const wanted = on("level") && sound.lufs !== null ? 10 ** ((target - sound.lufs) / 20) : 1;
      sound.gain = Math.min(1, wanted);
      sound.audio.volume = sound.gain;
      if (sound.fader) sound.fader.gain.value = sound.gain;
    }
  }
  // Some phones do not let a page change `volume`; there the sound goes through a mixer, which may
  // only be made when somebody asks for sound.
  function amplify(sound) {
    if (Math.abs(sound.audio.volume - sound.gain) < 0.01) return;
    mixer ??= new AudioContext();
    if (!sound.fader) {
      sound.fader = mixer.createGain();
      mixer.createMediaElementSource(sound.audio).connect(sound.fader).connect(mixer.destination);
    }
    sound.fader.gain.value = sound.gain;
    if (mixer.state === "suspended") mixer.resume();
  }

  function choose(sound) {
    if (!sound || current === sound) return;
    current = sound;
    for (const card of document.querySelectorAll(".card")) card.toggleAttribute("aria-current", card === sound.card);
    if (sound.card.hasAttribute("aria-current")) sound.card.setAttribute("aria-current", "true");
    document.dispatchEvent(new CustomEvent("current"));
  }
  // Goes on with another sound at the same moment of the music.
  function change(sound) {
    if (!sound || sound === current) return;
    const before = current, playing = before?.playing, time = before ? before.time : sound.begin;
    before?.audio.pause();
    choose(sound);
    sound.seek(time);
    if (playing) sound.play();
    if (document.activeElement?.matches(".play, .sound input")) sound.button.focus({ preventScroll: true });
    sound.card.scrollIntoView({ block: "nearest" });
  }
  function variant() { // the take, its auditions, the take again
    const own = sounds.filter((sound) => sound.card === current?.card);
    change(own[(own.indexOf(current) + 1) % own.length]);
  }

  function blind() {
    const list = document.querySelector(".takes"), hidden = on("blind");
    const order = cards();
    if (hidden) {
      for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(Math.random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
    } else order.sort((a, b) => Number(a.dataset.take) - Number(b.dataset.take));
    document.body.classList.toggle("blind", hidden);
    order.forEach((card, i) => {
      const name = card.querySelector(".name");
      name.dataset.real ??= name.textContent;
      name.textContent = hidden ? "Candidate " + (letters[i] ?? i + 1) : name.dataset.real;
      card.querySelector(".digit").textContent = i < 9 ? i + 1 : "";
      list.append(card);
    });
    sounds.forEach((sound) => sound.show());
    if (hidden && order.length) change(main(order[0])); // who was current would tell who is who
    document.dispatchEvent(new CustomEvent("current"));
  }

  // Parts of the page that came later, in the place of others or beside them.
  function adopt() {
    sounds = sounds.filter((sound) => sound.box.isConnected);
    const boxes = new Set(sounds.map((sound) => sound.box));
    for (const box of document.querySelectorAll(".sound")) if (!boxes.has(box)) sounds.push(new Sound(box));
    sounds.sort((a, b) => (a.box.compareDocumentPosition(b.box) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    if (current && !current.box.isConnected) {
      const card = document.getElementById(current.card.id);
      current = null;
      choose(card ? main(card) : main(cards()[0]));
    } else if (!current && cards().length) choose(main(cards()[0]));
    match();
  }

  option("blind")?.addEventListener("change", blind);
  option("level")?.addEventListener("change", match);
  option("new")?.addEventListener("change", () => current?.seek(current.begin));

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || (option("keys") && !on("keys"))) return;
    const range = target.matches?.("input[type=range]"), tick = target.matches?.("input[type=checkbox], input[type=radio]");
    if (target.matches?.("textarea, select, input") && !range && !tick) return;
    const number = event.key.length === 1 ? Number(event.key) : NaN;
    const step = { ArrowLeft: -SEEK_SECONDS, ArrowRight: SEEK_SECONDS, j: -SEEK_SECONDS, k: SEEK_SECONDS }[event.key];
    if (event.key === " ") {
      if (tick || target.closest?.("button, summary, a")) return;
      current?.toggle();
    } else if (step) {
      if (event.key.length > 1 && target.matches?.("input[type=radio]")) return;
      current?.seek(current.time + step);
    } else if (number >= 1 && number <= cards().length) change(main(cards()[number - 1]));
    else if (event.key === "a") variant();
    else if (event.key === "b" || event.key === "n") option({ b: "blind", n: "new" }[event.key])?.click();
    else if (event.key === "x") current?.card.querySelector(".pick")?.click();
    else return;
    event.preventDefault();
  });

  if (cards().length) choose(main(cards()[0]));
  match();
  document.documentElement.classList.add("scripted");
  return {
    cards,
    adopt,
    get card() { return current?.card.matches(".take") ? current.card : cards()[0]; },
    get playing() { return sounds.some((sound) => sound.playing); },
    sound: (box) => sounds.find((sound) => sound.box === box),
  };
}
