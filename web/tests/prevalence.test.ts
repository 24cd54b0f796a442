import { expect, test } from 'vitest';
import { predictiveValues } from '../src/charts/confusion';

test('PPV and NPV at a stated prevalence', () => {
  const values = predictiveValues(0.01, { sensitivity: 0.9, specificity: 0.9 });
  expect(values.ppv).toBeCloseTo(0.009 / 0.108, 12);
  expect(values.npv).toBeCloseTo(0.891 / 0.892, 12);
});

test('PPV decreases if the class is rarer', () => {
  const found = { sensitivity: 0.95, specificity: 0.948 };
  const [half, twentieth, hundredth] = [0.53, 0.05, 0.01].map((share) => predictiveValues(share, found).ppv);
  expect(half).toBeCloseTo(0.954, 3);
  expect(twentieth).toBeCloseTo(0.49, 2);
  expect(hundredth).toBeCloseTo(0.156, 3);
});

test('PPV and NPV are null without such predictions', () => {
  expect(predictiveValues(0.5, { sensitivity: 0, specificity: 1 }).ppv).toBeNull();
  expect(predictiveValues(0.5, { sensitivity: 1, specificity: 0 }).npv).toBeNull();
});
