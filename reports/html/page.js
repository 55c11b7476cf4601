(() => {
  "use strict";
  const runs = JSON.parse(document.getElementById("data").textContent);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // As the Go side prints them: below 1 a ratio never reads 100 %.
  const percent = v => {
    if (v >= 1) return "100 %";
    if (v <= 0) return "0 %";
    const digits = Math.max(2, Math.ceil(-Math.log10(100 * Math.min(v, 1 - v)) - 1e-9));
    return (100 * v).toFixed(Math.min(digits, 14)) + " %";
  };
  const short = v => String(+v.toPrecision(3));
  const millis = v => v >= 1000 ? short(v / 1000) + " s" : short(v) + " ms";
  const rate = v => short(v) + "/s";
  const second = v => v.toFixed(2) + " s";
  const or = format => (u, v) => v == null ? "–" : format(v);

  const kinds = {
    availability: {
      series: run => [{ label: "availability", stroke: "good", fill: "good-soft", show: or(percent), data: ratio(run) }],
      axis: v => v >= 1 ? "100 %" : percent(v).replace(/\.?0+ %$/, " %"),
      range: (u, min) => min == null ? [0, 1] : [Math.max(0, Math.min(0.99, min - (1 - min) * 0.08)), 1],
    },
    requests: {
      series: run => [
        { label: "good", stroke: "good", show: or(rate), data: run.ok.map(n => n / run.bucket) },
        { label: "failed", stroke: "bad", fill: "bad", bars: true, show: or(rate), data: run.failed.map(n => n / run.bucket) },
      ],
      axis: v => short(v),
      range: (u, min, max) => [0, (max || 1) * 1.08],
    },
    latency: {
      series: run => [
        { label: "p50", stroke: "p50", show: or(millis), data: run.p50 },
        { label: "p99", stroke: "p99", show: or(millis), data: run.p99 },
      ],
      axis: millis,
      range: (u, min, max) => [0, (max || 1) * 1.08],
    },
    workers: {
      series: run => [{ label: "workers ready", stroke: "ready", steps: true, show: or(String), data: run.ready }],
      axis: v => Number.isInteger(v) ? String(v) : "",
      range: (u, min, max) => [0, (max || 1) + 0.5],
      height: 110,
    },
  };

  function ratio(run) {
    return run.ok.map((n, i) => n + run.failed[i] ? n / (n + run.failed[i]) : null);
  }

  // Outages and faults in force lie under the curves, fault lines above them.
  function markers(run, named) {
    const band = (u, from, to, name) => {
      const left = Math.max(u.valToPos(from, "x", true), u.bbox.left);
      const right = Math.min(u.valToPos(to, "x", true), u.bbox.left + u.bbox.width);
      if (right < u.bbox.left || left > u.bbox.left + u.bbox.width) return;
      u.ctx.fillStyle = colour(name);
      u.ctx.fillRect(left, u.bbox.top, Math.max(right - left, 2 * devicePixelRatio), u.bbox.height);
    };
    return {
      hooks: {
        drawClear: u => {
          u.ctx.save();
          for (const f of run.faults) if (f.end > f.start) band(u, f.start, f.end, "lasting");
          for (const o of run.outages) band(u, o.start, o.end, "outage");
          u.ctx.restore();
        },
        draw: u => {
          const { ctx, bbox } = u;
          const dots = devicePixelRatio;
          ctx.save();
          ctx.strokeStyle = ctx.fillStyle = colour("warn");
          ctx.lineWidth = 1.3 * dots;
          ctx.setLineDash([4 * dots, 3 * dots]);
          ctx.font = 600 + " " + 11 * dots + "px system-ui, sans-serif";
          ctx.textAlign = "left";
          ctx.textBaseline = "bottom";
          let taken = -Infinity;
          for (const f of run.faults) {
            const x = u.valToPos(f.start, "x", true);
            if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
            ctx.beginPath();
            ctx.moveTo(x, bbox.top);
            ctx.lineTo(x, bbox.top + bbox.height);
            ctx.stroke();
            if (!named) continue;
            const width = ctx.measureText(f.id).width;
            const at = Math.min(Math.max(x - width / 2, bbox.left), bbox.left + bbox.width - width);
            if (at < taken) continue;
            ctx.fillText(f.id, at, bbox.top - 3 * dots);
            taken = at + width + 8 * dots;
          }
          ctx.restore();
        },
      },
    };
  }

  // What stands where the pointer is, in words.
  function words(run, u) {
    if (u.cursor.left < 0) return "";
    const at = u.posToVal(u.cursor.left, "x");
    const near = 6 * (u.scales.x.max - u.scales.x.min) / u.over.clientWidth;
    const found = [];
    for (const f of run.faults) if (at > f.start - near && at < f.end + near) found.push(f.text);
    for (const o of run.outages) if (at > o.start - near && at < o.end + near) found.push(o.text);
    return found.slice(0, 3).join(" · ");
  }

  function options(run, kind, width, hint, first) {
    const axis = {
      stroke: colour("muted"), font: "12px system-ui, sans-serif",
      grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("line"), width: 1, size: 4 },
    };
    const last = run.bucket * run.ok.length;
    return {
      width, height: (kind.height || 170) + (first ? 12 : 0),
      padding: [first ? 20 : 8, 12, 0, 0],
      cursor: { sync: { key: run.id, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 } },
      scales: {
        x: { time: false, range: (u, min, max) => min <= run.bucket / 2 && max >= last - run.bucket / 2 ? [0, last] : [min, max] },
        y: { range: kind.range },
      },
      axes: [
        { ...axis, size: 30, gap: 4, values: (u, ticks) => ticks.map(v => short4(v) + " s") },
        { ...axis, size: 62, gap: 6, values: (u, ticks) => ticks.map(kind.axis) },
      ],
      series: [{ label: "at", value: or(second) }, ...kind.series(run).map(s => ({
        label: s.label, value: s.show, stroke: colour(s.stroke), width: 1.6, points: { show: false },
        fill: s.fill && colour(s.fill),
        paths: s.bars ? uPlot.paths.bars({ size: [1, 40], align: 0 }) : s.steps ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
      }))],
      hooks: { setCursor: [u => { hint.textContent = words(run, u); }] },
      plugins: [markers(run, first)],
    };
  }

  const short4 = v => String(+v.toPrecision(4));

  // The legend's entries are switches that the keyboard reaches.
  function reachable(u, title) {
    const rows = u.root.querySelectorAll(".u-legend .u-series");
    rows.forEach((row, i) => {
      if (i === 0) return;
      const label = row.querySelector("th");
      const tell = () => label.setAttribute("aria-checked", String(u.series[i].show));
      label.tabIndex = 0;
      label.setAttribute("role", "switch");
      label.setAttribute("aria-label", title + ": " + u.series[i].label);
      label.addEventListener("keydown", e => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        u.setSeries(i, { show: !u.series[i].show });
      });
      (u.hooks.setSeries = u.hooks.setSeries || []).push(tell);
      tell();
    });
  }

  function course(section) {
    const run = runs[Number(section.dataset.run)];
    const hint = section.querySelector(".hint");
    const figures = [...section.querySelectorAll("figure.chart")];
    const at = run.ok.map((_, i) => (i + 0.5) * run.bucket);
    let plots = [];

    const draw = () => {
      plots.forEach(u => u.destroy());
      plots = figures.map((figure, n) => {
        const kind = kinds[figure.dataset.chart];
        const place = figure.querySelector(".live");
        const u = new uPlot(options(run, kind, place.clientWidth, hint, n === 0), [at, ...kind.series(run).map(s => s.data)], place);
        reachable(u, figure.querySelector("figcaption").textContent);
        figure.classList.add("drawn");
        return u;
      });
    };
    const zoom = change => {
      if (!plots.length) return;
      const { min, max } = plots[0].scales.x;
      const end = run.bucket * run.ok.length;
      let [from, to] = change(min, max);
      const width = Math.min(Math.max(to - from, 2 * run.bucket), end);
      from = Math.min(Math.max(from, 0), end - width);
      plots.forEach(u => u.setScale("x", { min: from, max: from + width }));
    };
    const end = run.bucket * run.ok.length;
    const tools = section.querySelector(".tools");
    for (const [name, change] of [
      ["Zoom in", (a, b) => [a + (b - a) / 4, b - (b - a) / 4]],
      ["Zoom out", (a, b) => [a - (b - a) / 2, b + (b - a) / 2]],
      ["Earlier", (a, b) => [a - (b - a) / 3, b - (b - a) / 3]],
      ["Later", (a, b) => [a + (b - a) / 3, b + (b - a) / 3]],
      ["All of it", () => [0, end]],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => zoom(change));
      tools.append(button);
    }
    tools.hidden = hint.hidden = false;

    // Drawn once there is room: a closed run has none.
    let width = 0;
    new ResizeObserver(() => {
      const now = figures[0].clientWidth;
      if (!now || now === width) return;
      if (!width) draw();
      else plots.forEach((u, n) => u.setSize({ width: now, height: u.height }));
      width = now;
    }).observe(figures[0]);
    dark.addEventListener("change", () => { if (width) draw(); });
  }

  document.querySelectorAll("section.course").forEach(course);

  // A link to a closed run opens it; a printed page is open everywhere.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));
})();
