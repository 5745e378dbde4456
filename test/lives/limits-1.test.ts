import { livesPart } from './part.js';

livesPart(0, 'limits');
