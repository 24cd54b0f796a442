import { mount } from 'svelte';
import { withTexts } from './texts';
import './design/base.css';

async function start(target: HTMLElement): Promise<void> {
  // The server says which pages it serves: those of a workspace, or accounts and projects.
  const hasAccounts = document.querySelector('base')?.dataset.mode === 'accounts';
  const { default: Pages } = await (hasAccounts
    ? withTexts(['accounts', 'general', 'remedies'], () => import('./AccountsApp.svelte'))
    : withTexts(['general', 'guide', 'remedies'], () => import('./App.svelte')));
  mount(Pages, { target });
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element #app');
void start(target);
