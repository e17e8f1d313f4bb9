// Draws every canvas[data-chart] from the JSON of the same name, in the page's own colours.

const drawn = new Map();

/** Custom properties may hold light-dark(); the browser resolves them only where they are used. */
function colour(token) {
  const probe = document.createElement("span");
  probe.className = "visually-hidden";
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function dataset(series, { kind, at, begins = [] }) {
  const tone = colour(series.tone || "brand");
  return {
    label: series.name, data: at ? series.values.map((y, n) => ({ x: at[n], y })) : series.values, borderColor: tone, backgroundColor: kind === "bar" ? tone : "transparent",
    borderWidth: kind === "bar" ? 0 : 2.5, borderDash: series.dashed ? [6, 4] : [], borderRadius: 4, spanGaps: true,
    pointRadius: series.values.length > 40 ? 0 : 3, pointBackgroundColor: tone, cubicInterpolationMode: "monotone", maxBarThickness: 36,
    segment: { borderColor: ({ p1DataIndex }) => (begins.includes(p1DataIndex) ? "transparent" : undefined) },
  };
}

function axis(title, ticks) {
  return {
    title: { display: Boolean(title), text: title, color: colour("ink-2") },
    ticks: { color: colour("ink-2"), maxRotation: 0, autoSkipPadding: 14, ...ticks },
    border: { display: false },
  };
}

function draw(canvas) {
  const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
  drawn.get(canvas)?.destroy();
  const grid = { color: colour("line") };
  drawn.set(canvas, new Chart(canvas, {
    type: data.kind,
    data: { labels: data.labels, datasets: data.series.map((series) => dataset(series, data)) },
    options: {
      animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
      plugins: { legend: { display: data.series.length > 1, position: "bottom", labels: { color: colour("ink"), boxHeight: 2, boxWidth: 22 } } },
      scales: {
        x: { type: data.at ? "linear" : "category", ...axis(data.x), grid: { display: false } },
        y: { ...axis(data.y, { maxTicksLimit: 5, precision: data.kind === "bar" ? 0 : undefined }), grid, beginAtZero: data.kind === "bar", suggestedMin: data.range?.[0], suggestedMax: data.range?.[1] },
      },
    },
  }));
}

function drawAll() {
  for (const [canvas, chart] of drawn) if (!canvas.isConnected) { chart.destroy(); drawn.delete(canvas); }
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) draw(canvas);
}

drawAll();
document.addEventListener("hc:theme", drawAll);
document.addEventListener("hc:live", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
