import { linear, task, unordered } from 'millrace';
import { render } from './mandelbrot.tasks.js';
import { encodePng } from './png.js';

/** Makes the flow that draws a picture: a task a band of `rows` rows, then one that joins them. It provides `png`. */
export function mandelbrotFlow(width: number, height: number, iterations: number, rows: number) {
  const bands = Array.from({ length: Math.ceil(height / rows) }, (_, index) => {
    const top = index * rows;
    const inject = { width, height, iterations, top, rows: Math.min(rows, height - top) };
    return render.with({ name: `band-${index}`, inject, provides: `band-${index}` });
  });
  const names = bands.map(({ name }) => name);

  // A task without a module stays on the main thread, so that it may use what is around it.
  const encode = task({
    name: 'encode',
    requires: names,
    provides: 'png',
    execute: (pixels: Record<string, Uint8Array>) =>
      encodePng(
        width,
        height,
        names.map((name) => pixels[name]),
        palette(),
      ),
  });

  return linear('mandelbrot', unordered('render', bands), encode);
}

/** Black for what stays, then a wheel of 255 colours. */
function palette(): Uint8Array {
  const colours = Array.from({ length: 255 }, (_, index) =>
    [0, 0.6, 1.2].map((phase) => 127.5 - 127.5 * Math.cos((index / 255) * 6 * Math.PI + phase)),
  );
  return Uint8Array.from([[0, 0, 0], ...colours].flat());
}
