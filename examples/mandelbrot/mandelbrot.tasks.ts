import { task, transfer } from 'millrace';

/** The part of the complex plane that is shown: its centre, and how wide it is. */
const CENTRE = { re: -0.7435, im: 0.1314 };
const WIDTH = 0.01;

/** A band of rows of the picture, from `top` on. */
export interface Band {
  readonly top: number;
  readonly rows: number;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  /** After how many steps a point counts as one that never escapes. */
  readonly iterations: number;
}

/** Computes one band: a byte a pixel, 0 for a point that stays, otherwise a colour that tells how soon it escapes. */
export const render = task(import.meta.url, {
  name: 'render',
  requires: ['width', 'height', 'iterations', 'top', 'rows'],
  provides: 'pixels',
  execute({ width, height, iterations, top, rows }: Picture & Band, context) {
    const pixels = new Uint8Array(width * rows);
    const step = WIDTH / width;
    for (let row = 0; row < rows; row++) {
      if (context.aborted) throw context.signal.reason;
      const im = CENTRE.im + (height / 2 - (top + row)) * step;
      for (let column = 0; column < width; column++) {
        const steps = escapeTime(CENTRE.re + (column - width / 2) * step, im, iterations);
        pixels[row * width + column] = steps === iterations ? 0 : 1 + (steps % 255);
      }
    }
    return transfer(pixels); // moved to the main thread rather than copied
  },
});

function escapeTime(re: number, im: number, iterations: number): number {
  let x = 0;
  let y = 0;
  for (let steps = 0; steps < iterations; steps++) {
    const xx = x * x;
    const yy = y * y;
    if (xx + yy > 4) return steps;
    y = 2 * x * y + im;
    x = xx - yy + re;
  }
  return iterations;
}
