import { mount } from 'svelte';
import App from './App.svelte';
import './design/base.css';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element #app');
// The server says which pages it serves: those of a workspace, or accounts and projects.
if (document.querySelector('base')?.dataset.mode === 'accounts')
  void import('./AccountsApp.svelte').then(({ default: AccountsApp }) => mount(AccountsApp, { target }));
else mount(App, { target });
