// Predictive values at another prevalence.

export interface Found {
  sensitivity: number;
  specificity: number;
}

/**
 * PPV and NPV at this prevalence from 0 to 1 (Bayes’ theorem); null if no image is predicted as the class.
 */
export function predictiveValues(share: number, { sensitivity, specificity }: Found) {
  const positive = sensitivity * share + (1 - specificity) * (1 - share);
  return {
    ppv: positive > 0 ? (sensitivity * share) / positive : null,
    npv: positive < 1 ? (specificity * (1 - share)) / (1 - positive) : null,
  };
}
