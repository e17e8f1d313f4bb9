// What the labelling page shows. No decisions and no network: label.js tells it what to do.

const at = (id) => document.getElementById(id);
const NOTICE_MS = 7_000;

export const labelButtons = () => [...document.querySelectorAll("#labels .answer")];
export const shownLabelButtons = () => labelButtons().filter((button) => !button.hidden);
export const labelName = (key) => labelButtons().find((button) => button.dataset.label === key)?.firstElementChild.textContent ?? key;
export const openDialog = () => document.querySelector("dialog[open]");

/** Puts a task on the page; `earlier` is the label it was given before, when an answer is being changed. */
export function showTask(task, earlier = null) {
  at("panel").hidden = true;
  at("reading").hidden = false;
  at("answers").hidden = false;
  at("question").textContent = task.question;
  const { title, before } = headed((task.before || "").replace(/^\s+/, ""), task.section || "");
  at("section").textContent = title;
  at("before").textContent = before;
  at("text").textContent = task.text;
  at("after").textContent = (task.after || "").replace(/\s+$/, "");
  at("record").classList.toggle("whole", !task.before && !task.after);
  for (const button of labelButtons()) button.setAttribute("aria-pressed", String(button.dataset.label === earlier));
  clearFilter();
  scrollToText();
}

/** The section's name stands once: as the title, or, if other sections come before it, where the record has it. */
function headed(before, section) {
  const place = section ? before.toLowerCase().lastIndexOf(section.toLowerCase()) : -1;
  if (place === 0) return { title: section, before: before.slice(section.length).replace(/^\s*[:：]?\s*/, "") };
  return { title: place > 0 && before[place - 1] === "\n" ? "" : section, before };
}

/** From the top, so that the question is seen; further down only if the sentence would be hidden by the dock. */
function scrollToText() {
  scrollTo({ top: 0, behavior: "instant" });
  const dockTop = at("dock").getBoundingClientRect().top;
  if (at("text").getBoundingClientRect().bottom > dockTop && at("before").textContent) {
    at("text").scrollIntoView({ block: "center", behavior: "instant" });
  }
}

/** A page-wide message in place of a text: nothing left, paused, signed out. */
export function showPanel(title, text, actions) {
  at("reading").hidden = true;
  at("answers").hidden = true;
  at("panel-title").textContent = title;
  at("panel-text").textContent = text;
  at("panel-actions").replaceChildren(...actions.map(actionElement));
  at("panel").hidden = false;
  at("panel").focus();
}

function actionElement({ words, href, run, primary }) {
  const made = element(href ? "a" : "button", primary ? "btn primary" : "btn", words);
  if (href) made.href = href;
  else made.addEventListener("click", run);
  return made;
}

export function setWaiting(isWaiting) {
  at("dock").classList.toggle("waiting", isWaiting);
  for (const button of labelButtons()) button.setAttribute("aria-disabled", String(isWaiting));
}

const STATE_WORDS = { idle: "", saving: "saving…", saved: "✓ saved", waiting: "not saved, trying again" };

export function setSaveState(state) {
  at("save-state").dataset.state = state;
  at("save-state").textContent = STATE_WORDS[state];
}

export function flash(labelKey) {
  const button = labelButtons().find((candidate) => candidate.dataset.label === labelKey);
  button.classList.remove("flash");
  void button.offsetWidth; // restarts the animation when the same label is chosen twice in a row
  button.classList.add("flash");
}

let noticeTimer = 0;

/** Says something above the dock without moving the text. `stays` keeps it until hideNotice. */
export function showNotice(text, { tone = "plain", stays = false, action = null } = {}) {
  clearTimeout(noticeTimer);
  const notice = element("div", "notice");
  notice.dataset.tone = tone;
  notice.append(element("span", "", text));
  if (action) notice.append(actionElement(action));
  at("notices").replaceChildren(notice);
  if (!stays) noticeTimer = setTimeout(hideNotice, NOTICE_MS);
}

export function hideNotice() {
  clearTimeout(noticeTimer);
  at("notices").replaceChildren();
}

export function showProgress({ nToday, shareDone }) {
  at("today").hidden = false;
  at("today").textContent = `${nToday} today`;
  at("today").setAttribute("aria-label", `${nToday} today: what I did`);
  at("share-done").value = shareDone;
}

/** The list of one's own latest answers, given oldest first; `onChange(index)` is called for the one to be changed. */
export function showMine(past, onChange) {
  at("mine-summary").textContent = past.length
    ? "Your latest answers, the newest first. A change counts from now on; the history keeps the earlier answer too."
    : "You have not answered anything here yet.";
  at("mine-list").replaceChildren(...past.map((item, index) => mineItem(item, () => onChange(index))).reverse());
  at("mine-dialog").showModal();
}

function mineItem({ task, label, answeredAt }, onChange) {
  const name = task.labels.find((one) => one.key === label)?.name ?? label;
  const when = new Date(answeredAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const text = element("p", "clinical", task.text);
  text.dir = "auto";
  const meta = element("div", "meta small quiet");
  meta.append(element("span", "chip", name), element("time", "", when));
  const change = actionElement({ words: "Change", run: () => { at("mine-dialog").close(); onChange(); } });
  change.setAttribute("aria-label", `Change the answer ${name} to: ${task.text.slice(0, 60)}`);
  const item = element("li", "");
  item.append(text, meta, change);
  return item;
}

function element(tag, className, words = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}

/** Shows only the labels that contain the words typed; number keys follow what is shown. */
export function applyFilter() {
  const words = at("filter").value.trim().toLocaleLowerCase();
  for (const button of labelButtons()) button.hidden = !button.firstElementChild.textContent.toLocaleLowerCase().includes(words);
  const shown = shownLabelButtons();
  for (const button of labelButtons()) {
    const place = shown.indexOf(button);
    button.classList.toggle("first", Boolean(words) && place === 0);
    let key = button.querySelector("kbd");
    if (!key) {
      key = document.createElement("kbd");
      key.setAttribute("aria-hidden", "true");
      button.append(key);
    }
    key.hidden = place < 0 || place > 9;
    key.textContent = String((place + 1) % 10);
  }
  at("no-match").textContent = words ? `${shown.length} labels match` : "";
}

export function clearFilter() {
  if (!at("filter") || !at("filter").value) return;
  at("filter").value = "";
  applyFilter();
}
