// What the labelling page shows. No decisions and no network: label.js tells it what to do.

const at = (id) => document.getElementById(id);
const NOTICE_MS = 7_000;
const NO_ID = "00000000-0000-0000-0000-000000000000";

export const openDialog = () => document.querySelector("dialog[open]");

export function showReading(question) {
  at("panel").hidden = true;
  at("reading").hidden = false;
  at("answers").hidden = false;
  at("question").textContent = question;
}

/** The text with what stands around it in its record. */
export function showRecord(task) {
  const { title, before } = headed((task.before || "").replace(/^\s+/, ""), task.section || "");
  at("section").textContent = title;
  at("before").textContent = before;
  at("text").textContent = task.text;
  at("after").textContent = (task.after || "").replace(/\s+$/, "");
  at("record").classList.toggle("whole", !task.before && !task.after);
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
  for (const control of at("answers").querySelectorAll("button, input, textarea")) {
    control.setAttribute("aria-disabled", String(isWaiting));
  }
}

const STATE_WORDS = { idle: "", saving: "saving…", saved: "✓ saved", waiting: "not saved, trying again" };

export function setSaveState(state) {
  at("save-state").dataset.state = state;
  at("save-state").textContent = STATE_WORDS[state];
}

export const isUnsure = () => at("unsure")?.getAttribute("aria-pressed") === "true";
export const setUnsure = (unsure) => at("unsure")?.setAttribute("aria-pressed", String(unsure));

/** What Done says: that nothing is chosen is an answer too, and the button calls it by its name. */
export function sayDone(words) {
  at("done-words").textContent = words;
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
export function showMine(past, wordsOf, onChange) {
  at("mine-summary").textContent = past.length
    ? "Your latest answers, the newest first. A change counts from now on; the history keeps the earlier answer too."
    : "You have not answered anything here yet.";
  at("mine-list").replaceChildren(...past.map((item, index) => mineItem(item, wordsOf, () => onChange(index))).reverse());
  at("mine-dialog").showModal();
}

function mineItem({ task, answer, certain, answeredAt }, wordsOf, onChange) {
  const words = wordsOf(answer, task);
  const when = new Date(answeredAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const texts = [task.text, task.second].filter(Boolean).map((text) => {
    const shown = element("p", "clinical", text);
    shown.dir = "auto";
    return shown;
  });
  const meta = element("div", "meta small quiet");
  meta.append(element("span", "chip words", words), element("time", "", when));
  if (certain === false) meta.append(element("span", "", "not sure"));
  const address = at("mine-list").dataset.explanation; // of no task, with zeros for its id
  if (address) {
    const looked = element("a", "", "What the model looked at");
    looked.href = address.replace(NO_ID, task.id);
    looked.setAttribute("aria-label", `What the model looked at: ${task.text.slice(0, 60)}`);
    meta.append(looked);
  }
  const change = actionElement({ words: "Change", run: () => { at("mine-dialog").close(); onChange(); } });
  change.setAttribute("aria-label", `Change the answer ${words} to: ${task.text.slice(0, 60)}`);
  const item = element("li", "");
  item.append(...texts, meta, change);
  return item;
}

export function element(tag, className, words = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}
