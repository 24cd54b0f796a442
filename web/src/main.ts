import { mount } from 'svelte';
import { loadTexts } from './texts';
import './design/base.css';

async function start(target: HTMLElement): Promise<void> {
  await loadTexts(); // the code of the pages uses the texts when it is loaded
  // The server says which pages it serves: those of a workspace, or accounts and projects.
  const hasAccounts = document.querySelector('base')?.dataset.mode === 'accounts';
  const { default: Pages } = await (hasAccounts ? import('./AccountsApp.svelte') : import('./App.svelte'));
  mount(Pages, { target });
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element #app');
void start(target);
