// A part of the page that is still moving is read again from the server until it stands still.
// The server draws it both times, so there is one place that knows what it looks like.

const MOST_WAIT_SECONDS = 30;

const focusable = (part) => [...part.querySelectorAll("a, button, input, summary, [tabindex]")];

function openDetails(part) {
  return new Set([...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
}

async function refresh() {
  const part = document.getElementById("live");
  const queue = part.querySelector("[data-queue]");
  // Reading records is noted in the trail, so what stands in the same order is not read again.
  const headers = queue ? { "HC-Queue-Shown": queue.dataset.queue } : {};
  // A card may have a page of its own, so that the rest of this one is not read again for its sake.
  const response = await fetch(part.dataset.from ?? location.href, { headers, cache: "no-store", credentials: "same-origin" });
  if (!response.ok || response.redirected) return location.reload();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!fresh) return location.reload();
  const freshQueue = fresh.querySelector("[data-queue]");
  if (queue && freshQueue && !freshQueue.childElementCount) freshQueue.replaceWith(queue.cloneNode(true));
  const opened = openDetails(part);
  for (const summary of fresh.querySelectorAll("details > summary")) {
    if (opened.has(summary.textContent)) summary.parentElement.open = true;
  }
  const focused = focusable(part).indexOf(document.activeElement);
  part.replaceWith(document.adoptNode(fresh));
  if (focused >= 0) focusable(fresh)[focused]?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("hc:live"));
}

async function follow() {
  let wait = 0;
  while (document.getElementById("live")?.dataset.live) {
    const every = Number(document.getElementById("live").dataset.live);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(every, wait)));
    if (document.hidden) continue;
    try {
      await refresh();
      wait = 0;
    } catch {
      wait = Math.min(2 * wait || 4, MOST_WAIT_SECONDS); // no connection: look again later, and less often
    }
  }
}

follow();
