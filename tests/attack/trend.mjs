// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Does a figure grow? Least squares over samples of equal distance, with the standard error of the slope. Neighbouring samples
// are alike, so the error is widened as if there were fewer of them: n (1 - r) / (1 + r), r being the correlation of a
// residual with the next one (first-order autoregression).

/** {slope, error} per sample; `flat`: zero lies within two standard errors. */
export function trendOf(values) {
  const n = values.length;
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, y) => sum + y, 0) / n;
  const sxx = values.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  const slope = values.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0) / sxx;
  const residuals = values.map((y, x) => y - meanY - slope * (x - meanX));
  const squares = residuals.reduce((sum, e) => sum + e * e, 0);
  const products = residuals.slice(1).reduce((sum, e, i) => sum + e * residuals[i], 0);
  const r = squares === 0 ? 0 : Math.min(0.99, Math.max(0, products / squares));
  const error = Math.sqrt((squares / (n - 2) / sxx) * ((1 + r) / (1 - r)));
  return { slope, error, flat: Math.abs(slope) <= 2 * error };
}
