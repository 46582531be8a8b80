// The live stream: one socket per page, which says what changed; the page then asks for its fragments again.
//
//   <body data-live-url="/ws/campaigns/0/" data-live-after="41">   where to connect, and the last number the page has seen
//   [data-live-status]                 says live / offline, while it tries again
//   [data-live="experiment:12 run.*"]  gets a "refresh" event when such a subject or kind was in the news
//   [data-poll="2000"]                 gets one every so many milliseconds while it is on the page: progress is not news
//   [data-live-every="3000"]           asks at most once in so many milliseconds, where a second would be too often
//   [data-hold]                        waits while somebody points at it, types in it or has a form in it open
//   [data-live-new="experiment.submitted"]  hidden; counts such events and then shows its [data-count]
//   time[data-when], time[data-waits]  relative times, and how long something has been waiting, kept true
//   time[data-clock=up|down]           clocks that count from or to a moment, second by second
//
// Elements with hx-get and hx-trigger="refresh" are morphed in place by htmx; charts.js listens to the same event.
(() => {
  "use strict";

  const REFRESH_MS = 1000; // an element asks at most once in this time, however much happens
  const BACKOFF_MS = [500, 1000, 2000, 5000, 10000];
  const QUIET_POLL_MS = 10000; // without a socket every live element asks this often
  const TICK_MS = 500;

  const url = document.body.dataset.liveUrl;
  let last = Number(document.body.dataset.liveAfter || 0);
  let tries = 0;
  let open = false;
  const due = new Map(); // element -> time at which to refresh it
  const asked = new WeakMap(); // element -> time of its last refresh

  const say = (state, text) => {
    const box = document.querySelector("[data-live-status]");
    if (box && box.dataset.state !== state) {
      box.dataset.state = state;
      box.textContent = text;
    }
  };

  const subjects = (event) => {
    const names = [event.kind, event.subject];
    const payload = event.payload || {};
    if (payload.experiment !== undefined) names.push(`experiment:${payload.experiment}`);
    if (payload.benchmark !== undefined) names.push(`benchmark:${payload.benchmark}`);
    return names;
  };

  const matches = (pattern, name) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name);

  const want = (element) => {
    const every = Number(element.dataset.liveEvery || REFRESH_MS);
    if (!due.has(element)) due.set(element, Math.max(Date.now(), (asked.get(element) || 0) + every));
  };

  const inUse = (element) =>
    element.hasAttribute("data-hold") && (element.matches(":hover, :focus-within") || element.querySelector("details.confirm[open]"));

  const receive = (events) => {
    for (const event of events) {
      if (event.number <= last) continue; // replayed after a reconnect
      last = event.number;
      const names = subjects(event);
      for (const element of document.querySelectorAll("[data-live]")) {
        const patterns = element.dataset.live.split(" ");
        if (patterns.some((pattern) => names.some((name) => matches(pattern, name)))) want(element);
      }
      for (const offer of document.querySelectorAll("[data-live-new]")) {
        if (offer.dataset.liveNew !== event.kind) continue;
        const count = offer.querySelector("[data-count]");
        count.textContent = Number(count.textContent) + 1;
        offer.hidden = false;
      }
    }
  };

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${url}?after=${last}`);
    socket.addEventListener("open", () => {
      open = true;
      tries = 0;
      say("live", "live");
    });
    socket.addEventListener("message", (message) => {
      const news = JSON.parse(message.data);
      if (news.events) receive(news.events);
    });
    socket.addEventListener("close", () => {
      open = false;
      say("waiting", "offline");
      const wait = BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)];
      tries += 1;
      setTimeout(connect, wait * (0.75 + Math.random() / 2)); // spread, so that a restart is not met by all at once
    });
  };

  const tick = () => {
    if (document.hidden) return;
    const now = Date.now();
    for (const element of document.querySelectorAll("[data-poll]")) {
      if (now - (asked.get(element) || started) >= Number(element.dataset.poll)) due.set(element, now);
    }
    if (!open && url) {
      for (const element of document.querySelectorAll("[data-live]")) {
        if (now - (asked.get(element) || started) >= QUIET_POLL_MS) due.set(element, now);
      }
    }
    for (const [element, at] of due) {
      if (at > now) continue;
      due.delete(element);
      if (!element.isConnected) continue;
      if (inUse(element)) {
        due.set(element, now + REFRESH_MS); // wait until they are done
        continue;
      }
      asked.set(element, now);
      element.dispatchEvent(new CustomEvent("refresh"));
    }
  };

  // What somebody just did stands in the page before the news of it. A fragment that was asked for before that shows
  // the time before, so it is dropped and asked for again; so is one that comes after somebody has begun to use what it
  // would replace.
  let wrote = 0;
  const sent = new WeakMap(); // htmx's context of a request -> when it left

  const reads = (context) => context.request.method.toUpperCase() === "GET";

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => sent.set(ctx, performance.now()));
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (!reads(ctx)) wrote = performance.now();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    const element = ctx.sourceElement;
    if (!sent.has(ctx) || !reads(ctx) || !element.matches("[data-live]")) return;
    if (sent.get(ctx) > wrote && !(asked.has(element) && inUse(element))) return;
    event.preventDefault();
    want(element);
  });

  const relative = (seconds) => {
    if (Math.abs(seconds) < 5) return "just now";
    const size = Math.abs(seconds);
    const [unit, name] = size >= 86400 ? [86400, "d"] : size >= 3600 ? [3600, "h"] : size >= 60 ? [60, "min"] : [1, "s"];
    const text = size < 10 ? `${size.toFixed(1)} s` : `${Math.round(size / unit)} ${name}`;
    return seconds > 0 ? `${text} ago` : `in ${text}`;
  };

  const waits = (seconds) => {
    const whole = Math.max(Math.floor(seconds), 0);
    const [unit, name] = whole >= 86400 ? [86400, "d"] : whole >= 3600 ? [3600, "h"] : whole >= 60 ? [60, "min"] : [1, "s"];
    return `waits ${Math.floor(whole / unit)} ${name}`;
  };

  const ageTimes = () => {
    for (const element of document.querySelectorAll("time[data-waits]")) {
      const text = waits((Date.now() - Date.parse(element.dateTime)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const element of document.querySelectorAll("time[data-when]")) {
      const text = relative((Date.now() - Date.parse(element.dateTime)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  const two = (number) => String(number).padStart(2, "0");

  const clockText = (seconds) => {
    const whole = Math.max(Math.floor(seconds), 0);
    if (whole >= 172800) return `${Math.floor(whole / 86400)} d`;
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };

  const runClocks = () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-clock]")) {
      const seconds = (Date.now() - Date.parse(element.dateTime)) / 1000;
      const text = clockText(element.dataset.clock === "down" ? -seconds : seconds);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  const started = Date.now();
  if (url) connect();
  setInterval(tick, TICK_MS);
  setInterval(ageTimes, 15000);
  setInterval(runClocks, 1000);

  // A table's "select all" box, and a form that asks for a number of ticked boxes.
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-check-all]")) {
      for (const other of box.closest("table").querySelectorAll("input[name=ids]")) other.checked = box.checked;
    }
    if (box.matches("[data-submit-on-change]")) box.form.requestSubmit();
  });
})();
