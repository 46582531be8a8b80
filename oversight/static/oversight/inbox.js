// Keys of the inbox: j k move, c claims, a and r open the answer, Ctrl+Enter sends it, Esc leaves the form.
(() => {
  "use strict";

  const typing = () => document.activeElement && document.activeElement.matches("input, textarea, select");

  const move = (by) => {
    const items = [...document.querySelectorAll(".inbox-item")];
    const at = items.findIndex((each) => each.hasAttribute("aria-current"));
    const next = items[Math.min(Math.max(at + by, 0), items.length - 1)];
    if (next && !next.hasAttribute("aria-current")) next.click();
  };

  const judge = (verdict) => {
    const form = document.querySelector("[data-judge]");
    if (!form) return;
    const select = form.querySelector("select[name=verdict]");
    if (select) select.value = verdict;
    form.dataset.send = verdict === "clean" ? "approve" : "refuse";
    form.querySelector("textarea").focus();
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => judge("clean"),
    r: () => judge("disqualified"),
    c: () => document.querySelector("[data-claim] button")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && typing()) {
      document.activeElement.blur();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = document.activeElement?.closest("[data-judge]");
      if (!form) return;
      const wanted = form.querySelector(`[data-${form.dataset.send || "approve"}]`) || form.querySelector("button");
      event.preventDefault();
      form.requestSubmit(wanted);
      return;
    }
    if (typing() || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
