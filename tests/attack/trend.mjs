// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Does a figure grow? Least squares over samples of equal distance, with the standard error of the slope. Neighbouring samples
// are alike, so the error is widened as if there were fewer of them: n (1 - r) / (1 + r), r being the correlation of a
// residual with the next one (first-order autoregression). Noise from one sample to the next hides a slower wave from r;
// means of 4, 16 and 64 samples show it, so the largest error of all counts.

const batches = [1, 4, 16, 64];
const batchesLeast = 12; // fewer means say nothing of their error

/** {slope, error} per sample. */
function lineThrough(values) {
  const n = values.length;
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, y) => sum + y, 0) / n;
  const sxx = values.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  const slope = values.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0) / sxx;
  const residuals = values.map((y, x) => y - meanY - slope * (x - meanX));
  const squares = residuals.reduce((sum, e) => sum + e * e, 0);
  const products = residuals.slice(1).reduce((sum, e, i) => sum + e * residuals[i], 0);
  const r = squares === 0 ? 0 : Math.min(0.99, Math.max(0, products / squares));
  return { slope, error: Math.sqrt((squares / (n - 2) / sxx) * ((1 + r) / (1 - r))) };
}

const meansOf = (values, size) =>
  Array.from({ length: Math.floor(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size).reduce((sum, y) => sum + y, 0) / size);

/**
 * {slope, error, seen, verdict}, per sample. `seen`: two standard errors, the smallest slope that could not have passed for
 * none. `verdict`: 'grows' or 'shrinks' if the slope is larger than that; else 'flat', but 'undecided' if a slope that matters,
 * `matters`, could have passed for none as well.
 */
export function trendOf(values, { matters }) {
  const { slope } = lineThrough(values);
  const sizes = batches.filter((size) => size === 1 || values.length / size >= batchesLeast);
  const error = Math.max(...sizes.map((size) => lineThrough(meansOf(values, size)).error / size));
  const seen = 2 * error;
  const still = seen < matters ? 'flat' : 'undecided';
  return { slope, error, seen, verdict: slope > seen ? 'grows' : slope < -seen ? 'shrinks' : still };
}
