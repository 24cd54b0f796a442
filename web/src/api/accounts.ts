// Accounts and projects of a server that several people use.
import createClient from 'openapi-fetch';
import { answer, every, fetchWithRetry } from './client';
import type { components, paths } from './schema_accounts';

type Schemas = components['schemas'];
export type User = Schemas['User'];
export type Project = Schemas['UsableProject'];
export type Role = Schemas['MemberRole']['role'];
export type RecordedRequest = Schemas['Request'];
export type Invitation = Schemas['Invitation'];

export const ROLES: readonly Role[] = ['viewer', 'annotator', 'editor'];

const api = createClient<paths>({ baseUrl: '.', fetch: fetchWithRetry });

const ofUser = (user_id: string) => ({ params: { path: { user_id } } });
const ofProject = (project_id: string) => ({ params: { path: { project_id } } });
const ofMember = (project_id: string, user_id: string) => ({ params: { path: { project_id, user_id } } });
const ofInvitation = (invitation: string) => ({ params: { path: { invitation } } });

export const readSession = (signal?: AbortSignal) => answer(api.GET('/api/v1/session', { signal }));
export const signIn = (name: string, password: string) =>
  answer(api.POST('/api/v1/session', { body: { name, password } }));
export const signOut = () => answer(api.DELETE('/api/v1/session'));
export const readInvitation = (invitation: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/invitations/{invitation}', { ...ofInvitation(invitation), signal }));
export const acceptInvitation = (invitation: string, password: string) =>
  answer(api.POST('/api/v1/invitations/{invitation}', { ...ofInvitation(invitation), body: { password } }));
export const changePassword = (current: string, to: string) =>
  answer(api.PUT('/api/v1/password', { body: { current, new: to } }));

export const listScriptKeys = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/script-keys', { params: { query }, signal }));
export const createScriptKey = (name: string) => answer(api.POST('/api/v1/script-keys', { body: { name } }));
export const removeScriptKey = (key_id: string) =>
  answer(api.DELETE('/api/v1/script-keys/{key_id}', { params: { path: { key_id } } }));

export const listUsers = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/users', { params: { query }, signal }));
export const createUser = (name: string, is_admin: boolean) =>
  answer(api.POST('/api/v1/users', { body: { name, is_admin } }));
export const changeUser = (id: string, body: Schemas['UserChanges']) =>
  answer(api.PATCH('/api/v1/users/{user_id}', { ...ofUser(id), body }));
export const removeUser = (id: string) => answer(api.DELETE('/api/v1/users/{user_id}', ofUser(id)));
export const restoreUser = (id: string) => answer(api.POST('/api/v1/users/{user_id}/restore', ofUser(id)));
export const inviteUser = (id: string) => answer(api.POST('/api/v1/users/{user_id}/invitation', ofUser(id)));

export const listProjects = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/projects', { params: { query }, signal }));
export const createProject = (body: Schemas['NewProject']) => answer(api.POST('/api/v1/projects', { body }));
export const changeProject = (id: string, body: Schemas['NewProject']) =>
  answer(api.PUT('/api/v1/projects/{project_id}', { ...ofProject(id), body }));
export const removeProject = (id: string) =>
  answer(api.DELETE('/api/v1/projects/{project_id}', ofProject(id)));
export const restoreProject = (id: string) =>
  answer(api.POST('/api/v1/projects/{project_id}/restore', ofProject(id)));
export const setMember = (project: string, user: string, role: Role) =>
  answer(
    api.PUT('/api/v1/projects/{project_id}/members/{user_id}', {
      ...ofMember(project, user),
      body: { role },
    }),
  );
export const removeMember = (project: string, user: string) =>
  answer(api.DELETE('/api/v1/projects/{project_id}/members/{user_id}', ofMember(project, user)));

export const readBackups = (signal?: AbortSignal) => answer(api.GET('/api/v1/backups', { signal }));
export const startBackup = () => answer(api.POST('/api/v1/backups'));
export const stopBackup = () => answer(api.POST('/api/v1/backups/stop'));
export const listActivity = (offset: number, limit: number, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/activity', { params: { query: { offset, limit } }, signal }));
