"use strict";
// The page works without this file. With it a form is sent once, and a token is copied by one press.

// Whoever presses twice would be shown that the form was sent before, and not the secret that the first press has made.
for (const form of document.forms) {
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  // Whoever comes back to it may send it again.
  addEventListener("pageshow", () => {
    isSent = false;
  });
}

const token = document.getElementById("token");
const copy = document.getElementById("copy");
if (token && copy) {
  const result = document.getElementById("copy-result");
  // Emptied first, and filled a moment later: the same words are read out again.
  const tell = (text) => {
    result.textContent = "";
    setTimeout(() => {
      result.textContent = text;
    }, 50);
  };
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    token.select();
    try {
      await navigator.clipboard.writeText(token.value);
      tell(copy.dataset.copied);
    } catch {
      // Without a secure context, or without leave.
      tell(document.execCommand("copy") ? copy.dataset.copied : copy.dataset.failed);
    }
  });
  // Whoever comes back by the history finds nothing.
  addEventListener("pagehide", () => {
    token.defaultValue = token.value = "";
    copy.hidden = true;
  });
}
