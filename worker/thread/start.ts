/**
 * What threads start with. The build makes one file of it and of what `main` imports, which a thread loads in three quarters of
 * the time; but for the modules that code of tasks may import too, by way of `heddle/task` and `heddle`: those are to be the
 * same for both.
 */
export { collectInThread, disposeInThread, runInThread } from './main.js'
