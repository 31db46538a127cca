"use strict";
// Films: one picture at a time, a button, a slider. Without this script the last picture stands still.
for (const film of document.querySelectorAll(".film")) {
  const frames = [...film.querySelectorAll("img")];
  const controls = film.querySelector(".controls");
  const [button, slider, output] = ["button", "input", "output"].map((name) => controls.querySelector(name));
  const issued = Number(film.dataset.issued);
  let timer = null;

  const show = (k) => {
    frames.forEach((frame, i) => { frame.hidden = i !== k; });
    slider.value = k;
    output.value = frames[k].dataset.when;
    slider.setAttribute("aria-valuetext", frames[k].dataset.when);
  };
  const step = () => {
    const next = (Number(slider.value) + 1) % frames.length;
    show(next);
    const pause = next === frames.length - 1 ? 2000 : next <= issued ? 450 : 750;
    timer = setTimeout(step, pause);
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    button.textContent = "▶ Play";
  };
  const play = () => {
    timer = setTimeout(step, 450);
    button.textContent = "❚❚ Pause";
  };

  controls.hidden = false;
  show(frames.length - 1);
  stop();
  button.addEventListener("click", () => (timer === null ? play() : stop()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });

  // Films run while they are in view, unless the reader wants stillness or has stopped them.
  let wanted = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  button.addEventListener("click", () => { wanted = timer !== null; });
  slider.addEventListener("input", () => { wanted = false; });
  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && wanted && timer === null) play();
    if (!entry.isIntersecting && timer !== null) stop();
  }, { threshold: 0.3 }).observe(film);
}
