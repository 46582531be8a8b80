// Draws every [data-chart-url] with Plotly: fetched when it comes into view, in the colours of the page, and again
// when it is told to "refresh" or the system's colour scheme changes. What goes wrong is said in words in its place.
(() => {
  "use strict";

  const NARROW_PX = 480;
  const NARROW_PLOT_PX = 260, LEGEND_ROW_PX = 20; // on a phone each entry of a legend has a row, which the plot must not pay for
  const config = { responsive: true, displayModeBar: false, showTips: false };
  const tags = new WeakMap(); // chart -> ETag of what it shows
  const figures = new WeakMap();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const theme = (layout, width) => {
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line-strong"), zerolinecolor: colour("--line-strong"), tickcolor: colour("--line-strong"), automargin: true };
    const themed = {
      ...layout,
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: colour("--sans"), size: 12, color: colour("--text") },
      hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--line-strong"), font: { color: colour("--text"), family: colour("--mono"), size: 12 }, align: "left" },
      legend: { orientation: "h", yanchor: "bottom", y: 1.02, xanchor: "left", x: 0, ...layout.legend },
      margin: { l: 8, r: 12, t: 12, b: 8, ...layout.margin },
    };
    for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name)).concat("xaxis", "yaxis")) {
      themed[key] = { ...axis, ...layout[key] };
    }
    if (themed.yaxis.ticktext && width < NARROW_PX) {
      // names would take most of a phone's width; the whole name is in the hover text and in the table
      themed.yaxis.ticktext = themed.yaxis.ticktext.map((text) => (text.length > 16 ? `${text.slice(0, 15)}…` : text));
    }
    themed.shapes = (layout.shapes || []).map((shape) => ({ ...shape, line: { color: colour("--line-strong"), ...shape.line } }));
    themed.annotations = (layout.annotations || []).map((note) => ({ ...note, font: { size: 11, color: colour("--quiet"), ...note.font } }));
    return themed;
  };

  const note = (chart, state, text) => {
    if (figures.has(chart)) Plotly.purge(chart);
    figures.delete(chart);
    chart.dataset.drawn = state;
    const line = document.createElement("p");
    line.className = "chart-note";
    line.textContent = text;
    chart.replaceChildren(line);
  };

  const show = async (chart) => {
    const figure = figures.get(chart);
    const title = { ...figure.layout, title: undefined };
    const entries = figure.data.filter((trace) => trace.name && trace.showlegend !== false).length;
    if (!title.height && chart.clientWidth < NARROW_PX && entries > 2) title.height = NARROW_PLOT_PX + entries * LEGEND_ROW_PX;
    if (chart.dataset.drawn !== "yes") chart.replaceChildren();
    chart.classList.toggle("sized", Boolean(title.height));
    await Plotly.react(chart, figure.data, theme(title, chart.clientWidth), config);
    chart.dataset.drawn = "yes";
  };

  const load = async (chart) => {
    try {
      const headers = { Accept: "application/json" };
      if (figures.has(chart) && tags.has(chart)) headers["If-None-Match"] = tags.get(chart);
      const answer = await fetch(chart.dataset.chartUrl, { headers, credentials: "same-origin" });
      if (answer.status === 304) return;
      if (answer.redirected) return note(chart, "failed", "You are logged out: log in again to see this figure.");
      if (!answer.ok) return note(chart, "failed", `The figure could not be loaded (the server answered ${answer.status}).`);
      const figure = await answer.json();
      tags.set(chart, answer.headers.get("ETag"));
      if (!figure.data.length) return note(chart, "empty", figure.layout.meta?.empty || "Nothing to draw yet.");
      figures.set(chart, figure);
      await show(chart);
    } catch (error) {
      note(chart, "failed", `The figure could not be drawn: ${error.message}.`);
    }
  };

  const inView = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        inView.unobserve(entry.target);
        load(entry.target);
      }
    },
    { rootMargin: "200px" },
  );

  const adopt = (root) => {
    for (const chart of root.querySelectorAll("[data-chart-url]:not([data-adopted])")) {
      chart.dataset.adopted = "yes";
      chart.addEventListener("refresh", () => load(chart));
      inView.observe(chart);
    }
  };

  adopt(document);
  document.addEventListener("htmx:after:swap", () => adopt(document));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of document.querySelectorAll("[data-drawn=yes]")) show(chart);
  });
  // Figures are as wide as their column, also on paper.
  addEventListener("beforeprint", () => {
    for (const chart of document.querySelectorAll("[data-drawn=yes]")) Plotly.Plots.resize(chart);
  });
})();
