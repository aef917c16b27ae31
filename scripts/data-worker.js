// What the data thread of src/train/data-thread.ts begins with: a worker shares no module loader with whoever starts it.
import { importOwn } from './source.js'

await importOwn('train/data-worker')
