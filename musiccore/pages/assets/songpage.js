"use strict";
// Without this script the page keeps the browser's own players. With it: one sound at a time,
// a play head over the pictures, keys for playing, moving and comparing.
(() => {
  const PLOT_LEFT = 0.095, PLOT_RIGHT = 0.985; // as in pictures.py
  const ICONS = '<svg class="play" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 3.5v17l15-8.5z"/></svg>' +
    '<svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 3h5v18H5zM14 3h5v18h-5z"/></svg>';
  const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
  const players = [...document.querySelectorAll(".track")].map((track) => {
    const audio = track.querySelector("audio"), name = audio.getAttribute("aria-label");
    const bar = document.createElement("div"), button = document.createElement("button");
    const range = document.createElement("input"), output = document.createElement("output");
    const views = [...track.querySelectorAll(".view")];
    bar.className = "bar";
    button.type = "button";
    button.innerHTML = ICONS;
    Object.assign(range, { type: "range", min: 0, max: 1, step: "any", value: 0 });
    range.setAttribute("aria-label", "Position in " + name);
    bar.append(button, range, output);
    audio.controls = false;
    audio.after(bar);
    const length = () => (isFinite(audio.duration) ? audio.duration : 0);
    const show = () => {
      const share = length() ? audio.currentTime / length() : 0;
      range.value = share;
      range.style.setProperty("--done", share * 100 + "%");
      range.setAttribute("aria-valuetext", clock(audio.currentTime) + " of " + clock(length()));
      output.textContent = clock(audio.currentTime) + " / " + clock(length());
      button.setAttribute("aria-label", (audio.paused ? "Play " : "Pause ") + name);
      track.classList.toggle("playing", !audio.paused);
      for (const view of views) {
        const head = view.querySelector(".head");
        head.hidden = audio.paused && !share;
        head.style.left = (PLOT_LEFT + share * (PLOT_RIGHT - PLOT_LEFT)) * 100 + "%";
      }
    };
    const seek = (share) => { audio.currentTime = Math.min(Math.max(share, 0), 1) * length(); show(); };
    const follow = () => { show(); if (!audio.paused) requestAnimationFrame(follow); };
    const player = { audio, track, length, seek, toggle: () => (audio.paused ? audio.play() : audio.pause()) };
    button.addEventListener("click", player.toggle);
    range.addEventListener("input", () => { current = player; seek(Number(range.value)); });
    for (const view of views) {
      view.classList.add("seekable");
      view.addEventListener("click", (event) => {
        const box = view.getBoundingClientRect();
        current = player;
        seek(((event.clientX - box.left) / box.width - PLOT_LEFT) / (PLOT_RIGHT - PLOT_LEFT));
      });
    }
    audio.addEventListener("play", () => {
      current = player;
      for (const other of players) if (other !== player) other.audio.pause();
      follow();
    });
    for (const event of ["pause", "ended", "timeupdate", "seeked", "loadedmetadata", "durationchange"]) {
      audio.addEventListener(event, show);
    }
    show();
    return player;
  });
  // What is inside the page can be saved from it; what lies beside it is offered if it is there.
  for (const link of document.querySelectorAll(".inside a")) {
    const [head, data] = link.closest(".track").querySelector("audio").src.split(";base64,");
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    link.href = URL.createObjectURL(new Blob([bytes], { type: head.slice(5) }));
    link.parentElement.hidden = false;
  }
  const beside = [...document.querySelectorAll(".beside")], ask = document.querySelector(".ask");
  function search(missing) {
    const probe = new Audio(), sound = beside.map((item) => item.querySelector("a").href).find((href) => /\.(wav|flac|mp3|ogg)$/.test(href));
    probe.preload = "metadata";
    probe.addEventListener("loadedmetadata", () => {
      for (const item of beside) item.hidden = false;
      ask.hidden = true;
    });
    probe.addEventListener("error", missing);
    if (sound) probe.src = sound;
    else missing();
  }
  if (beside.length && ask && location.protocol.startsWith("http")) search(() => {});
  else if (beside.length && ask) { // a file: looking for what is not there is an error on the console
    ask.hidden = false;
    ask.querySelector("button").addEventListener("click", () => search(() => {
      ask.hidden = true;
      document.querySelector(".alone").textContent = "The other files of the song did not come with this page.";
    }));
  }
  let current = players[0];
  document.documentElement.classList.add("scripted");
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !current) return;
    const on = event.target, focused = players.find((player) => player.track.contains(on));
    if (focused && on.closest(".bar")) current = focused;
    const number = Number(event.key);
    if (event.key === " " && !(on instanceof HTMLButtonElement)) current.toggle();
    else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !on.closest?.(".text")) {
      const step = event.key === "ArrowLeft" ? -5 : 5;
      if (current.length()) current.seek((current.audio.currentTime + step) / current.length());
    } else if (number >= 1 && number <= players.length && event.key.length === 1) {
      const next = players[number - 1], playing = !current.audio.paused;
      if (next !== current) {
        next.audio.currentTime = current.audio.currentTime;
        current.audio.pause();
        current = next;
        if (playing) next.audio.play();
      }
      document.getElementById("t" + number).scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  });
})();
