// The user who is signed in to a server with accounts.
import { readSession } from '../api/accounts';

class SignedIn {
  session = $state.raw<Awaited<ReturnType<typeof readSession>> | null>(null);
  error = $state.raw<unknown>(null);
  isKnown = $state(false); // whether the server has answered

  /** Ask the server who is signed in. */
  async load(): Promise<void> {
    try {
      this.session = await readSession();
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.isKnown = true;
  }
}

export const signedIn = new SignedIn();
