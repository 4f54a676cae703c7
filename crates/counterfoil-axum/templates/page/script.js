"use strict";
// The page works without this file; with it a token is copied by one press.
const token = document.getElementById("token");
const copy = document.getElementById("copy");
if (token && copy) {
  const tell = (text) => {
    document.getElementById("copy-result").textContent = text;
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
    token.value = "";
  });
}
