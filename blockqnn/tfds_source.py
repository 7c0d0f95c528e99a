def describe(name, data_dir): raise NotImplementedError
class TrainingSplit: pass
