"use strict";
// The list keeps itself up to date: what a run does changes while somebody looks at it.
(() => {
  let timer = 0;
  async function look() {
    clearTimeout(timer);
    const began = performance.now();
    try {
      const reply = await fetch("/");
      if (reply.ok) show(new DOMParser().parseFromString(await reply.text(), "text/html"));
    } catch { /* the room is away for a moment */ }
    const took = performance.now() - began; // a large store far away is not asked all the time
    timer = setTimeout(look, Math.max(document.hidden ? 15000 : 2500, 4 * took));
  }
  function show(fresh) {
    for (const id of ["count", "list"]) {
      const own = document.getElementById(id), other = fresh.getElementById(id);
      if (own.innerHTML === other.innerHTML) continue;
      const focused = own.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      own.replaceChildren(...other.childNodes);
      if (focused) [...own.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
    }
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  timer = setTimeout(look, 1500);
})();
