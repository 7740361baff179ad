/** Name of the file that marks a project's root and holds its settings. */
export const CONFIG_FILE = 'sluice.config.yaml'
