const players = [...document.querySelectorAll('.player')].map((player) => {
  const { at, now, pictures } = JSON.parse(player.querySelector('script').textContent);
  const images = player.querySelectorAll('.screen img');
  const fields = player.querySelectorAll('[data-now]');
  // A robot's plot is in the order of its player.
  const cursor = document.querySelectorAll('svg .cursor')[Number(player.dataset.robot)];
  const slider = player.querySelector('input');
  // The newest picture that was there at this time.
  const show = (seconds) => {
    const frame = Math.max(0, at.findLastIndex((time) => time <= seconds + 1e-4));
    slider.value = frame;
    images.forEach((image, camera) => { image.src = pictures[frame][camera]; });
    fields.forEach((field, value) => { field.textContent = now[frame][value]; });
    if (cursor) {
      const { left, right, from, to } = cursor.dataset;
      const share = Math.min(1, Math.max(0, (seconds - from) / (to - from)));
      cursor.setAttribute('transform', `translate(${share * (right - left)} 0)`);
    }
  };
  return { player, at, cursor, slider, show, button: player.querySelector('button') };
});
// All robots of an attempt are shown at the same time.
const end = Math.max(...players.map(({ at }) => at[at.length - 1]));
let shown = 0;
let playing = null;
const show = (seconds) => { shown = seconds; players.forEach((player) => player.show(seconds)); };
const name = (text) => players.forEach(({ button }) => { button.textContent = text; });
const pause = () => { cancelAnimationFrame(playing); playing = null; name('Play'); };
const play = () => {
  if (shown >= end) shown = 0;
  const origin = performance.now() - 1000 * shown;
  name('Pause');
  const next = () => {
    const seconds = Math.min(end, (performance.now() - origin) / 1000);
    show(seconds);
    if (seconds >= end) pause(); else playing = requestAnimationFrame(next);
  };
  playing = requestAnimationFrame(next);
};
for (const { player, at, cursor, slider, button } of players) {
  const go = (seconds) => { pause(); show(seconds); };
  button.addEventListener('click', () => (playing === null ? play() : pause()));
  slider.addEventListener('input', () => go(at[Number(slider.value)]));
  for (const small of player.querySelectorAll('.film figure')) {
    small.addEventListener('click', () => go(at[Number(small.dataset.frame)]));
  }
  if (!cursor) continue;
  const svg = cursor.ownerSVGElement;
  svg.style.cursor = 'crosshair';
  svg.addEventListener('click', (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const { left, right, from, to } = cursor.dataset;
    const seconds = Number(from) + (x - left) / (right - left) * (to - from);
    go(Math.min(Number(to), Math.max(Number(from), seconds)));
  });
}
show(0);
