/** A process that makes a scratch folder, tells where, and ends when its parent lets go of it. */
import { ScratchFolder } from '../../common/node/scratch-folder.js'

process.once('disconnect', () => process.exit())
const scratch = await ScratchFolder.create(process.argv[2])
process.send?.(scratch.path)
