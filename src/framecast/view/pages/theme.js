// Before the first picture: the colours that the person chose last time, else those of the system.
(() => {
  const own = document.documentElement.dataset,
    dark = matchMedia("(prefers-color-scheme: dark)");
  try {
    own.chosen = localStorage.getItem("framecast-theme") ?? "";
  } catch {
    own.chosen = ""; // storage may be switched off
  }
  const dress = () => {
    own.theme = own.chosen || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", dress);
  addEventListener("chosen", dress);
  dress();
})();
