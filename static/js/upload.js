// Drop a file, and see how much of it has been sent. Without this script the form is sent as any other.

const form = document.getElementById("upload-form");
const drop = document.getElementById("drop");
const file = form.querySelector('input[type="file"]');
const at = (id) => document.getElementById(id);

at("drop-words").hidden = false;
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
});

/** fetch cannot tell how much has been sent; XMLHttpRequest can. */
form.addEventListener("submit", (event) => {
  if (!file.files.length) return;
  event.preventDefault();
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
    if (lengthComputable) at("sending-share").value = loaded / total;
    if (loaded === total) at("sending-words").textContent = "The file has arrived; it is being looked at…";
  });
  request.addEventListener("load", () => showReply(request));
  request.addEventListener("error", () => stop("The connection broke off. Nothing was taken in; please send the file again."));
  request.open("POST", form.action);
  request.send(new FormData(form));
  at("upload-button").disabled = true;
  at("sending-words").textContent = "Sending the file…";
  at("sending").hidden = false;
});

function showReply(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const problems = [...page.querySelectorAll(".errorlist li")].map((item) => item.textContent.trim());
  if (request.status === 200 && request.responseURL && !page.querySelector("#upload-form .errorlist, .message.error[role=alert]")) {
    location.assign(request.responseURL);
  } else if (request.status === 413) stop("This file is too large for the server.");
  else stop(problems.join(" ") || `The server could not take the file (${request.status}). Nothing was taken in.`);
}

function stop(words) {
  at("sending-words").textContent = words;
  at("sending-share").value = 0;
  at("upload-button").disabled = false;
}
