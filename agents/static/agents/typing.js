// What agents are saying right now: a second socket whose frames are kept nowhere. [data-typing="12"] shows agent 12.
(() => {
  "use strict";

  const LONGEST = 4000; // characters kept of one agent's current text
  const campaign = document.body.dataset.liveUrl.split("/").filter(Boolean)[2];
  const texts = new Map(); // agent -> { step, text }
  let tries = 0;

  const show = (agent) => {
    const { text } = texts.get(agent);
    for (const box of document.querySelectorAll(`[data-typing="${agent}"]`)) {
      // a card cuts off the beginning, by CSS that writes from right to left: the marks keep a full stop at its end
      box.textContent = box.closest(".agent-card") ? `\u200e${text.slice(-160).replace(/\s+/g, " ")}\u200e` : text;
      box.scrollTop = box.scrollHeight;
    }
  };

  const receive = (delta) => {
    const key = `${delta.step}/${delta.action}`;
    const known = texts.get(delta.agent);
    const before = known && known.key === key ? known.text : "";
    texts.set(delta.agent, { key, text: (before + delta.text).slice(-LONGEST) });
    show(delta.agent);
  };

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/campaigns/${campaign}/typing/`);
    socket.addEventListener("open", () => { tries = 0; });
    socket.addEventListener("message", (message) => { for (const delta of JSON.parse(message.data).deltas) receive(delta); });
    socket.addEventListener("close", () => {
      tries += 1;
      setTimeout(connect, Math.min(500 * 2 ** tries, 10000) * (0.75 + Math.random() / 2));
    });
  };

  // A fragment that was swapped in is empty where somebody types.
  document.addEventListener("htmx:after:swap", () => { for (const agent of texts.keys()) show(agent); });
  connect();
})();
