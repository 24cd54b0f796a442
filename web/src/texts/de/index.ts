export { texts } from '../en';
