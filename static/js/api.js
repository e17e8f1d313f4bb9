// One way to talk to the server: JSON both ways, a CSRF token, a time limit, and errors with a code and a sentence.

const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  constructor(status, code, detail, retryAfterSeconds = 0) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfterSeconds });
  }

  /** The same request may well succeed later: no network, too many requests, a server being restarted. */
  get isTemporary() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  get isSignedOut() {
    return this.status === 401 || this.code === "not_authenticated";
  }
}

const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;

async function errorFrom(response) {
  let body = {};
  try { body = await response.json(); } catch { /* a proxy's HTML page, for instance */ }
  const detail = typeof body.detail === "string" ? body.detail : `The server answered with an error (${response.status}).`;
  return new ApiError(response.status, body.code || "", detail, Number(response.headers.get("Retry-After")) || 0);
}

/** Returns {status, data, serverTime}; throws ApiError, also when there is no connection (status 0). */
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") Object.assign(headers, { "X-CSRFToken": csrfToken(), "Content-Type": "application/json" });
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, "no_connection", "No connection to the server.");
  }
  if (!response.ok) throw await errorFrom(response);
  let data = null;
  try {
    if (response.status !== 204) data = await response.json();
  } catch {
    throw new ApiError(0, "no_connection", "The connection broke off.");
  }
  return { status: response.status, data, serverTime: Date.parse(response.headers.get("Date")) || Date.now() };
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** Waits, but no longer than until the browser says that the connection is back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); removeEventListener("online", done); resolve(); };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
  });
}

/** Repeats a call until the server has decided it. `onTrouble` hears of every failed try. */
export async function callUntilDecided(method, path, body, onTrouble = () => {}) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await call(method, path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isTemporary) throw error;
      onTrouble(error);
      // A little chance keeps a room full of browsers from coming back in the same instant.
      await pause(Math.max(wait * (0.75 + Math.random() / 2), error.retryAfterSeconds * 1000));
    }
  }
}

/** crypto.randomUUID exists on https and localhost only; a hospital's intranet may have neither. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
