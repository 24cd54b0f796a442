// Work that the user requested on a form: whether it is in progress, and its problem, which the form shows.

export class Attempt {
  isBusy = $state(false);
  problem = $state.raw<unknown>(null);

  /** Do the work. A failure is the problem until the next attempt. */
  async run(work: () => Promise<unknown>): Promise<void> {
    this.isBusy = true;
    this.problem = null;
    try {
      await work();
    } catch (problem) {
      this.problem = problem;
    } finally {
      this.isBusy = false;
    }
  }

  /** A handler of the form that does the work. */
  onsubmit(work: () => Promise<unknown>): (event: SubmitEvent) => Promise<void> {
    return (event) => {
      event.preventDefault();
      return this.run(work);
    };
  }
}
