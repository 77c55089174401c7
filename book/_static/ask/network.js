"use strict";
// The network of sets of runs, evaluated from its weights: kinetlib.fusion.evaluated, line by line.
(function (kinetlib) {
  const EPSILON = 1e-3; // of the layer normalisation

  /** Multiply rows (m, n) by a kernel (n, width) and add a bias; rows are Float64Arrays. */
  function dense(weights, name, rows) {
    const { shape, values } = weights[`${name}/kernel`];
    const bias = weights[`${name}/bias`].values;
    const width = shape[shape.length - 1];
    return rows.map((row) => product(row, values, width, Float64Array.from(bias)));
  }

  /** Add row times matrix to what is in `sum`, and return it. */
  function product(row, matrix, width, sum) {
    for (let i = 0; i < row.length; i += 1) {
      const value = row[i];
      if (value === 0) continue;
      const start = i * width;
      for (let j = 0; j < width; j += 1) sum[j] += value * matrix[start + j];
    }
    return sum;
  }

  const logistic = (x) => 0.5 * Math.tanh(0.5 * x) + 0.5;

  /** Run an LSTM over the points of one run; its gates are: take, keep, new, show. */
  function lstm(weights, name, rows) {
    const part = (which) => weights[`${name}/lstm_cell/${which}`].values;
    const [kernel, recurrent, bias] = [part("kernel"), part("recurrent_kernel"), part("bias")];
    const width = bias.length / 4;
    const memory = new Float64Array(width);
    let output = new Float64Array(width);
    return rows.map((row) => {
      const gates = product(row, kernel, 4 * width, Float64Array.from(bias));
      product(output, recurrent, 4 * width, gates);
      output = new Float64Array(width);
      for (let j = 0; j < width; j += 1) {
        const taken = logistic(gates[j]) * Math.tanh(gates[2 * width + j]);
        memory[j] = logistic(gates[width + j]) * memory[j] + taken;
        output[j] = logistic(gates[3 * width + j]) * Math.tanh(memory[j]);
      }
      return output;
    });
  }

  /** Read one run: its last output and the mean of all, then what describes it. */
  function token(weights, input) {
    const sequence = lstm(weights, "encoder/lstm_2", lstm(weights, "encoder/lstm_1", input.points));
    const width = sequence[0].length;
    const share = Math.fround(1 / sequence.length);
    const pooled = new Float64Array(2 * width);
    pooled.set(sequence[sequence.length - 1]);
    for (const row of sequence) for (let j = 0; j < width; j += 1) pooled[width + j] += share * row[j];
    return dense(weights, "token", [[...pooled, ...input.described]])[0];
  }

  function normalised(weights, name, rows) {
    const gamma = weights[`${name}/gamma`].values;
    const beta = weights[`${name}/beta`].values;
    return rows.map((row) => {
      const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      const scale = Math.sqrt(variance + EPSILON);
      return row.map((x, j) => ((x - mean) / scale) * gamma[j] + beta[j]);
    });
  }

  /** Let runs look at each other, then each at itself; both add to what is there. */
  function attended(weights, name, tokens) {
    const seen = normalised(weights, `${name}_norm_1`, tokens);
    const [, heads, size] = weights[`${name}_attention/query/kernel`].shape;
    const [query, key, value] = ["query", "key", "value"].map((part) => {
      const { values } = weights[`${name}_attention/${part}/kernel`];
      const bias = weights[`${name}_attention/${part}/bias`].values;
      return seen.map((row) => product(row, values, heads * size, Float64Array.from(bias)));
    });
    const mixed = seen.map((_, r) => {
      const row = new Float64Array(heads * size);
      for (let h = 0; h < heads; h += 1) {
        const [first, last] = [h * size, (h + 1) * size];
        const scores = key.map((other) => {
          let sum = 0;
          for (let j = first; j < last; j += 1) sum += (query[r][j] / Math.sqrt(size)) * other[j];
          return sum;
        });
        softmax(scores).forEach((weight, other) => {
          for (let j = first; j < last; j += 1) row[j] += weight * value[other][j];
        });
      }
      return row;
    });
    const bias = weights[`${name}_attention/attention_output/bias`].values;
    const out = weights[`${name}_attention/attention_output/kernel`].values;
    const more = mixed.map((row) => product(row, out, bias.length, Float64Array.from(bias)));
    const after = added(tokens, more);
    const wide = dense(weights, `${name}_wide`, normalised(weights, `${name}_norm_2`, after));
    return added(after, dense(weights, `${name}_narrow`, wide.map((row) => row.map(gelu))));
  }

  const added = (rows, more) => rows.map((row, r) => row.map((x, j) => x + more[r][j]));

  const gelu = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));

  /** The error function, by a series without cancellation: exact to rounding. */
  function erf(x) {
    if (Math.abs(x) > 6) return Math.sign(x);
    let [term, sum] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }

  function softmax(values) {
    const largest = Math.max(...values);
    const raised = Array.from(values, (value) => Math.exp(value - largest));
    const total = raised.reduce((sum, value) => sum + value, 0);
    return raised.map((value) => value / total);
  }

  /** Ask the network of a reaction: probabilities of the classes, and the last hidden layer. */
  function ask(weights, inputs) {
    let tokens = inputs.map((input) => token(weights, input));
    for (let block = 1; `block_${block}_norm_1/gamma` in weights; block += 1) {
      tokens = attended(weights, `block_${block}`, tokens);
    }
    tokens = normalised(weights, "normalised", tokens);
    const columns = Array.from(tokens[0], (_, j) => tokens.map((row) => row[j]));
    const mean = columns.map((column) => column.reduce((sum, x) => sum + x, 0) / column.length);
    const largest = columns.map((column) => Math.max(...column));
    const hidden = dense(weights, "hidden", [[...mean, ...largest]])[0].map(gelu);
    return { probabilities: softmax(dense(weights, "head", [hidden])[0]), hidden };
  }

  kinetlib.network = { ask, softmax };
})((globalThis.kinetlib ??= {}));
