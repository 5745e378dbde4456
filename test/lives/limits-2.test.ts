import { livesPart } from './part.js';

livesPart(1, 'limits');
