// Before the first picture: the colours that the person chose last time.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("framecast-theme");
  } catch {
    /* storage may be switched off */
  }
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
