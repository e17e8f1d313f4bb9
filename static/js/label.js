// The labelling page: one press answers, the reply brings the next text, and nothing is lost on a bad network.
//
// What an answer is, and how it is given, is the business of the campaign's kind: a module of kinds/ each, whose
// surface(host) returns
//   show(task, given, suggestion)  puts a task on the page; `given` is an earlier answer or a draft of it, or null;
//                        `suggestion` is what a model would mark, and no answer until it is sent as one
//   words(answer, task)  an answer in a few words; without the task, words that need none of its text
//   mending              how an answer that is on the page again is changed
//   key, click, chord, typing   (event, digit) => true where it was meant for the kind; each may be left out
//   read()               where answers are sent by Done: the answer as it stands, or null while it is none
// It calls host.send(answer, isUnsure), and host.changed(draft) with what is worth keeping until it is sent.

import { call, callUntilDecided, newKey } from "./api.js";
import { digitOf } from "./digit.js";
import { Drafts } from "./drafts.js";
import { Lease } from "./lease.js";
import { Outbox } from "./outbox.js";
import * as view from "./label-view.js";

const page = JSON.parse(document.getElementById("page").textContent);
const campaignUrl = `${page.api}campaigns/${page.campaign}/`;
const assignmentUrl = (id, verb) => `${page.api}assignments/${id}/${verb}/`;
const SHARE_EVERY = 10; // answers between two looks at the campaign's progress
const PAST_LENGTH = 50; // answers that can be looked through and changed from here
const DOUBLE_CLICK_MS = 300;

const outbox = new Outbox(page.me);
const drafts = new Drafts(page.me);
const lease = new Lease(extend, leaseLost);
const progress = { nToday: 0, nMine: 0, shareDone: 0 };
let nTurns = 0; // answers sent and answers accepted: tells whether one of them crossed a look at the progress
let isUnderWay = false; // an answer that the server may have counted, and the page has not
let isProgressDue = false; // somebody looked for it meanwhile
let held = null; // the assignment that is ours to answer
let revising = null; // {index}: an earlier answer that is on the page to be changed
let past = null; // own answers, oldest first, once they have been asked for: [{assignment, task, answer, certain}]
let isBusy = true;
let shownAt = 0;
let isBegun = false; // something of the answer to the text on the page has been given

const { surface } = await import(page.surface);
const kind = surface({ page, send, changed: keepDraft });

// ---- Texts come and go

async function start() {
  view.setWaiting(true);
  loadProgress();
  for (const entry of outbox.entries) {
    if ((await deliver(entry, false)) === null) return;
  }
  await claimNext();
}

async function claimNext() {
  isBusy = true;
  view.setWaiting(true);
  try {
    receive(await decided(`${campaignUrl}claim/`, {}));
  } catch (error) {
    stopWith(error);
  }
}

/** A POST that is repeated until the server has decided; says so while it waits, and takes that word back after. */
async function decided(path, body) {
  let hadTrouble = false;
  const reply = await callUntilDecided("POST", path, body, () => { hadTrouble = true; sayNoConnection(); });
  if (hadTrouble) view.hideNotice();
  return reply;
}

/** Takes in the next assignment from a claim's reply, or from the reply to an answer or a skip. */
function receive({ data, serverTime }) {
  held = data && "next" in data ? data.next : data;
  if (held) lease.hold(held.id, held.expires_at, serverTime);
  showHeld();
}

function showHeld() {
  revising = null;
  isBusy = false;
  if (!held) return nothingLeft();
  show(held, drafts.of(held.id));
  warnIfLabelsChanged(held.task.labels);
}

function show({ task, suggestion = [] }, given, isUnsure = false) {
  view.setWaiting(false);
  view.showReading(task.question);
  view.setUnsure(isUnsure);
  kind.show(task, given, suggestion);
  isBegun = Boolean(given);
  shownAt = performance.now();
}

function warnIfLabelsChanged(labels) {
  const keysOf = (some) => some.map((label) => label.key).join("\n");
  if (keysOf(labels) === keysOf(page.labels)) return;
  view.showNotice("The labels of this campaign have changed.", {
    tone: "warn", stays: true, action: { words: "Show the new ones", run: () => location.reload() },
  });
}

async function nothingLeft() {
  lease.drop();
  view.setWaiting(true);
  await loadProgress();
  if (held || revising) return; // an answer was taken back meanwhile
  const count = progress.nMine === 1 ? "1 text" : `${progress.nMine} texts`;
  view.showPanel(
    "Nothing left for you here",
    `You have answered ${count} in this campaign, ${progress.nToday} of them today. Thank you. ` +
      "If somebody lets a text go, it comes back; look again in a while.",
    [{ words: "To the campaigns", href: page.urls.home, primary: true }, { words: "Look again", run: claimNext }],
  );
}

// ---- Answering

const mayAnswer = () => !isBusy && Boolean(held || revising);
const onPage = () => (revising ? past[revising.index] : { assignment: held.id, task: held.task });

/** Whoever answers at once says nothing of how sure they are; only "not sure" is ever said. */
function send(answer, isUnsure = false) {
  if (!mayAnswer()) return false;
  submit(answer, page.asksCertainty && (isUnsure || view.isUnsure()) ? false : null);
  return true;
}

function done() {
  if (!mayAnswer() || (!isBegun && performance.now() - shownAt < DOUBLE_CLICK_MS)) return;
  const answer = kind.read();
  if (answer) send(answer);
}

function keepDraft(draft) {
  if (!mayAnswer()) return;
  isBegun = true;
  drafts.put(onPage().assignment, draft);
}

async function submit(answer, certain) {
  const item = onPage();
  const entry = { assignment: item.assignment, key: newKey(), answer, certain, revises: Boolean(revising) };
  isBusy = true;
  nTurns += 1;
  if (!entry.revises) lease.drop();
  view.setWaiting(true);
  outbox.put(entry);
  drafts.remove(entry.assignment);
  isUnderWay = !entry.revises;
  const reply = await deliver(entry, !entry.revises);
  isUnderWay = false;
  if (reply === null) return; // another page took over: signed out, consent
  if (reply.accepted) remember(item, entry);
  if (isProgressDue) loadProgress();
  if (entry.revises) return showHeld();
  if (!reply.accepted) return claimNext();
  receive(reply);
}

/** Sends one kept answer until the server has decided it. Null: it stays kept, and the page has moved on. */
async function deliver(entry, wantsNext) {
  view.setSaveState("saving");
  const body = { key: entry.key, answer: entry.answer };
  if (entry.certain !== null) body.certain = entry.certain;
  if (!entry.revises) body.next = wantsNext;
  try {
    const path = assignmentUrl(entry.assignment, entry.revises ? "revise" : "answer");
    const reply = await callUntilDecided("POST", path, body, () => sayKept(entry));
    outbox.remove(entry.key);
    view.hideNotice();
    view.setSaveState("saved");
    return { accepted: true, data: reply.data, serverTime: reply.serverTime };
  } catch (error) {
    view.setSaveState("idle");
    if (mayWorkLater(error)) {
      stopWith(error);
      return null;
    }
    if (error.code === "campaign_paused") return { accepted: false }; // it stays kept, for when the pause is over
    outbox.remove(entry.key);
    sayRefused(entry, error);
    return { accepted: false };
  }
}

function remember(item, { answer, certain, revises }) {
  if (revises) {
    Object.assign(item, { answer, certain });
    return;
  }
  past?.push({ ...item, answer, certain, answeredAt: new Date().toISOString() });
  nTurns += 1;
  progress.nToday += 1;
  progress.nMine += 1;
  view.showProgress(progress);
  if (progress.nMine % SHARE_EVERY === 0) loadProgress();
}

async function skip(reason) {
  view.openDialog()?.close();
  if (isBusy || !held || revising) return;
  isBusy = true;
  lease.drop();
  view.setWaiting(true);
  try {
    const reply = await decided(assignmentUrl(held.id, "skip"), { reason, next: true });
    drafts.remove(held.id);
    view.setSaveState("idle");
    view.showNotice(reason === "names_a_person" ? "Thank you. The text is reported, and somebody will check it." : "Skipped.");
    receive(reply);
  } catch (error) {
    if (mayWorkLater(error)) stopWith(error);
    else await claimNext(); // it was no longer ours, so there is nothing to skip
  }
}

// ---- Mending

async function undo() {
  if (isBusy) return view.showNotice("The last answer is still on its way. You can change it once it is saved.");
  if (!past) await loadPast();
  if (!past) return;
  const index = (revising ? revising.index : past.length) - 1;
  if (index < 0) return view.showNotice("There is no earlier answer to change.");
  revise(index);
}

function revise(index) {
  revising = { index };
  const { assignment, answer, certain } = past[index];
  show(past[index], drafts.of(assignment) ?? answer, certain === false);
  view.showNotice(`You answered “${kind.words(answer)}”. ${kind.mending}`, {
    stays: true, action: { words: "Leave it so", run: leaveRevising },
  });
}

function leaveRevising() {
  if (!revising || isBusy) return;
  drafts.remove(onPage().assignment);
  view.hideNotice();
  showHeld();
}

async function loadPast() {
  isBusy = true;
  try {
    const { data } = await call("GET", `${campaignUrl}my-answers/?limit=${PAST_LENGTH}`);
    past = data.results.reverse().map((result) => ({
      assignment: result.assignment, task: result.task, answer: result.answer, certain: result.certain, answeredAt: result.answered_at,
    }));
  } catch (error) {
    view.showNotice(error.detail, { tone: "warn" });
  } finally {
    isBusy = false;
  }
}

async function openMine() {
  if (isBusy) return;
  await loadPast();
  if (past) view.showMine(past, kind.words, revise);
}

// ---- What may go wrong

const mayWorkLater = (error) => error.isSignedOut || error.code === "consent_required" || isStalePage(error);
const isStalePage = (error) => error.status === 403 && /csrf/i.test(`${error.code} ${error.detail}`);

function sayNoConnection() {
  view.showNotice("No connection just now. Trying again by itself.", { tone: "warn", stays: true });
}

function sayKept(entry) {
  view.setSaveState("waiting");
  view.showNotice(
    `No connection. Your answer “${kind.words(entry.answer)}” is kept on this device and is sent as soon as there is one.`,
    { tone: "warn", stays: true },
  );
}

function sayRefused(entry, error) {
  view.showNotice(`“${kind.words(entry.answer)}” was not counted: ${error.detail}`, { tone: "warn" });
}

/** Labelling cannot go on here: say why, what was kept and what to do. */
function stopWith(error) {
  lease.drop();
  view.hideNotice();
  held = null;
  isBusy = false;
  if (error.code === "consent_required") return location.assign(page.urls.consent);
  const kept = outbox.entries.length ? " Your last answer is kept on this device and will be sent." : "";
  if (error.isSignedOut) {
    return view.showPanel("You have been signed out", `Please sign in again to go on.${kept}`, [
      { words: "Sign in", href: page.urls.login, primary: true },
    ]);
  }
  if (isStalePage(error)) {
    return view.showPanel("This page is out of date", `You signed in again elsewhere.${kept}`, [
      { words: "Load it again", run: () => location.reload(), primary: true },
    ]);
  }
  view.showPanel(error.code === "campaign_paused" ? "This campaign is having a pause" : "This cannot go on just now", `${error.detail}${kept}`, [
    { words: "To the campaigns", href: page.urls.home, primary: true },
    { words: "Try again", run: start },
  ]);
}

async function extend(id) {
  const { data, serverTime } = await call("POST", assignmentUrl(id, "extend"), {});
  return { expiresAt: data.expires_at, serverTime };
}

function leaseLost(error) {
  if (mayWorkLater(error)) return stopWith(error);
  if (isBusy || revising) return;
  claimNext().then(() => held && view.showNotice("You were away, so that text went to somebody else. Here is another one."));
}

async function loadProgress() {
  isProgressDue = isUnderWay;
  if (isProgressDue) return;
  const turn = nTurns;
  try {
    const { data } = await call("GET", `${campaignUrl}progress/`);
    if (turn !== nTurns) return loadProgress(); // it may count the answer that crossed it, or not
    Object.assign(progress, { nToday: data.n_answers_today, nMine: data.n_my_answers, shareDone: data.share_done });
    view.showProgress(progress);
  } catch { /* a figure in the corner: the next answer asks again */ }
}

// ---- Hands: pointer and keys

const actions = {
  guideline: () => document.getElementById("guideline-dialog").showModal(),
  skip: () => !isBusy && held && !revising && document.getElementById("skip-dialog").showModal(),
  undo,
  mine: openMine,
  name: () => skip("names_a_person"),
  unsure: () => view.setUnsure(!view.isUnsure()),
  done,
  close: () => view.openDialog()?.close(),
};

document.addEventListener("click", (event) => {
  if (event.target instanceof HTMLDialogElement) return event.target.close(); // the backdrop
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.skip) return skip(button.dataset.skip);
  if (button.dataset.do) return actions[button.dataset.do]();
  // A double tap must not answer the text that has just come and cannot have been read.
  const isDoubleTap = event.detail > 1 && performance.now() - shownAt <= DOUBLE_CLICK_MS;
  if (mayAnswer() && !isDoubleTap) kind.click?.(button, event);
});

const KEYS = { s: actions.skip, u: actions.undo, g: actions.guideline, h: actions.mine };

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.repeat && !event.key.startsWith("Arrow")) {
    if (event.target.matches?.(".answer, .done")) event.preventDefault(); // a held Enter is one answer
    return;
  }
  const dialog = view.openDialog();
  if (dialog ? keyInDialog(dialog, digitOf(event)) : keyOnPage(event, digitOf(event))) event.preventDefault();
});

function keyInDialog(dialog, digit) {
  const choice = [...dialog.querySelectorAll("[data-skip]")][digit];
  if (choice) skip(choice.dataset.skip);
  return Boolean(choice);
}

const TYPING = 'input:not([type="checkbox"]), textarea, select';

/** True where the key was ours. */
function keyOnPage(event, digit) {
  if (event.ctrlKey || event.metaKey || event.altKey) return mayAnswer() && kind.chord?.(event);
  if (event.target.matches?.(TYPING)) return mayAnswer() && kind.typing?.(event);
  if (mayAnswer() && kind.key?.(event, digit)) return true;
  if (event.key === "Escape") return leaveRevising();
  if (event.key === "?" && page.asksCertainty) actions.unsure();
  else if (event.key === "Enter" && kind.read && !event.target.closest?.("button, a, summary")) done();
  else if (KEYS[event.key.toLowerCase()]) KEYS[event.key.toLowerCase()]();
  else return false;
  return true;
}

start();
