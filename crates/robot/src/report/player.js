for (const player of document.querySelectorAll('.player')) {
  const { at, now, pictures } = JSON.parse(player.querySelector('script').textContent);
  const images = player.querySelectorAll('.screen img');
  const fields = player.querySelectorAll('[data-now]');
  const [button, slider] = [player.querySelector('button'), player.querySelector('input')];
  // The plot of this player is the first one after it.
  const cursor = [...document.querySelectorAll('svg .cursor')][Number(player.dataset.robot)];
  const place = (seconds) => {
    if (!cursor) return;
    const { left, right, from, to } = cursor.dataset;
    const share = Math.min(1, Math.max(0, (seconds - from) / (to - from)));
    cursor.setAttribute('transform', `translate(${share * (right - left)} 0)`);
  };
  const show = (frame) => {
    slider.value = frame;
    images.forEach((image, camera) => { image.src = pictures[frame][camera]; });
    fields.forEach((field, value) => { field.textContent = now[frame][value]; });
    place(at[frame]);
  };
  let playing = null;
  const pause = () => { cancelAnimationFrame(playing); playing = null; button.textContent = 'Play'; };
  const play = () => {
    const begin = Number(slider.value) === at.length - 1 ? 0 : Number(slider.value);
    const origin = performance.now() - 1000 * at[begin];
    button.textContent = 'Pause';
    const next = () => {
      const seconds = (performance.now() - origin) / 1000;
      let frame = at.findLastIndex((time) => time <= seconds);
      if (frame < 0) frame = 0;
      show(frame);
      if (frame === at.length - 1) pause(); else playing = requestAnimationFrame(next);
    };
    playing = requestAnimationFrame(next);
  };
  button.addEventListener('click', () => (playing === null ? play() : pause()));
  slider.addEventListener('input', () => { pause(); show(Number(slider.value)); });
  for (const small of player.querySelectorAll('.film figure')) {
    small.addEventListener('click', () => { pause(); show(Number(small.dataset.frame)); });
  }
  if (cursor) {
    const svg = cursor.ownerSVGElement;
    svg.style.cursor = 'crosshair';
    svg.addEventListener('click', (event) => {
      const x = (event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width * svg.viewBox.baseVal.width;
      const { left, right, from, to } = cursor.dataset;
      const seconds = Number(from) + (x - left) / (right - left) * (to - from);
      const frame = at.findLastIndex((time) => time <= seconds);
      pause();
      show(Math.max(0, frame));
    });
  }
  show(0);
}
